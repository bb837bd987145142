"""What people write who know another notation: each refusal names the cause and the way out."""

import pytest

from thalweg.model.formula import parse


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("a*exp(-x/lambda)", "lambda is a word of Python; call the parameter otherwise"),
        ("lambda*x + a", "lambda is a word of Python"),
        ("class*x", "class is a word of Python"),
        ("y = a*x + b", "write the right-hand side only: a*x + b"),
        ("f(x) = a*x", "write the right-hand side only: a*x"),
        ("signal=a*x", "write the right-hand side only: a*x"),
        ("np.exp(-x*a)", "write exp for np.exp"),
        ("a*math.sin(x)", "write sin for math.sin"),
        ("a*x*numpy.pi", "write pi for numpy.pi"),
        ("2a*x", "write 2*a for 2a"),
        ("a + 1e5x", "write 1e5*x for 1e5x"),
        ("0.5x + a", "write 0.5*x for 0.5x"),
        ("a exp(-x)", "write * between a and exp"),
        ("a x", "write * between a and x"),
        ("(a + x) b", "write * between ) and b"),
        ("2 x + a", "write * between 2 and x"),
        ("a(x + b)", "a is an unknown function"),
        ("3(x + a)", "write * for products"),
        ("a*x^2", "write ** for powers"),
        ("a*\ud800 + x", "character 3 is half of a surrogate pair"),
    ],
)
def test_a_notation_from_elsewhere_is_refused_with_the_way_out(text, way_out):
    with pytest.raises(ValueError, match="formula") as refusal:
        parse(text, "x")
    assert way_out in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["a and x", "x if a else b", "not a or x", "a*(x) + (b)"])
def test_words_between_operands_are_operators(text):
    assert parse(text, "x").names
