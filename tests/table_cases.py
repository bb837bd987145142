"""Text files that people have: of each what is read of it, or why it is refused.

Those of RIGHT hold the line y = x + 1.5 at x = 0, 1, 2, or with another intercept.
"""

from instrument_cases import INSTRUMENTS, PLAIN, Right

RIGHT = {
    "plain": Right(PLAIN, "3 rows, columns separated by commas; x is t; y is s"),
    "no names": Right("0;1,5\n1;2,5\n2;3,5\n", "decimal comma; x is 1; y is 2"),
    "decimal comma, semicolons": Right("t;s\n0;1,5\n1;2,5\n2;3,5\n", "semicolons, decimal comma"),
    "decimal comma, tabs": Right("t\ts\n0\t1,5\n1\t2,5\n2\t3,5\n", "tabs, decimal comma"),
    "decimal comma, blanks": Right("t s\n0 1,5\n1 2,5\n2 3,5\n", "blanks, decimal comma"),
    "decimal comma, blanks, no names": Right("0,0 1,5\n1,0 2,5\n2,0 3,5\n", "decimal comma"),
    "decimal comma, quoted": Right('t,s\n0,"1,5"\n1,"2,5"\n2,"3,5"\n', "commas, decimal comma"),
    "decimal comma, zero before it": Right(
        "t\ts\n0\t0,125\n1\t1,125\n2\t2,125\n", "decimal comma", intercept=0.125
    ),
    "three decimals, semicolons": Right("t;s\n0;1,500\n1;2,500\n2;3,500\n", "decimal comma"),
    "bars": Right("t|s\n0|1.5\n1|2.5\n2|3.5\n", "separated by bars"),
    "fixed width": Right("   t    s\n 0.0  1.5\n 1.0  2.5\n 2.0  3.5\n", "blanks; x is t; y is s"),
    "thousands and decimals": Right(
        't,s\n0,"3,506.5"\n1,"3,507.5"\n2,"3,508.5"\n', "commas between thousands", (), 3506.5
    ),
    "thousands by points": Right(
        "t;s\n0;3.506,5\n1;3.507,5\n2;3.508\n".replace("3.508", "3.508,5"),
        "decimal comma, points between thousands", (), 3506.5,
    ),
    "thousands by points, once shown": Right(
        "t;s\n0;999,0\n1;1.000\n2;1.001,0\n", "points between thousands", (), 999
    ),
    "thousands by blanks": Right("t;s\n0;999\n1;1 000\n2;1 001\n", "blanks between", (), 999),
    "thousands by thin blanks": Right(
        "t\ts\n0\t999\n1\t1\u202f000\n2\t1\u202f001\n", "blanks between thousands", (), 999
    ),
    "thousands by apostrophes": Right(
        "t;s\n0;999.5\n1;1'000.5\n2;1’001.5\n", "apostrophes between thousands", (), 999.5
    ),
    "thousands, many": Right(
        't,s\n0,"1,234,567"\n1,"1,234,568"\n2,"1,234,569"\n', "commas between", (), 1234567
    ),
    "thousands beside decimal points": Right(
        't,s\n0.0,"1,000"\n1.0,"1,001"\n2.0,"1,002"\n', "commas between thousands", (), 1000
    ),
    "thousands, said": Right(
        't,s\n0,"1,000"\n1,"1,001"\n2,"1,002"\n', "commas between", ("--thousands", ","), 1000
    ),
    "three decimals, said": Right(
        't,s\n0,"1,500"\n1,"2,500"\n2,"3,500"\n', "decimal comma", ("--decimal", ",")
    ),
    "no thousands, said": Right(
        "t;s\n0;1,000\n1;1,001\n2;1,002\n", "commas between", ("--decimal", "."), 1000
    ),
    "Fortran": Right("t,s\n0.D0,1.5D+00\n1.D0,.25D1\n2.d0,3.5d0\n", "y is s"),
    "Fortran, three digits": Right(" 0.0 1.5+000\n 1.0 0.25+001\n 2.0 3.5\n", "x is 1; y is 2"),
    "minus U+2212": Right("t,s\n\u22120,1.5\n1,2.5\n2,3.5\n", "y is s"),
    "units": Right("t,s\ns,mV\n0,1.5\n1,2.5\n2,3.5\n", "x is t (s); y is s (mV)"),
    "units are told": Right("t,s\ns,mV\n0,1.5\n1,2.5\n2,3.5\n", "line 2 is taken for the units"),
    "units in brackets": Right("t,s\n(s),\n0,1.5\n1,2.5\n2,3.5\n", "x is t (s); y is s"),
    "names, units, comments": Right(
        "t,s\ns,mV\na,device 7\n0,1.5\n1,2.5\n2,3.5\n", "line 3 holds no numbers and is left out"
    ),
    "names that are numbers": Right("t,10\n0,1.5\n1,2.5\n2,3.5\n", "y is 10"),
    "such names and units": Right("t,10\ns,mV\n0,1.5\n1,2.5\n2,3.5\n", "y is 10 (mV)"),
    "preamble": Right(
        "Instrument 7\nserial 5\n\nt;s\n0;1\n1;2\n2;3\n", "lines 1 to 2 above the", (), 1
    ),
    "preamble of the table's width": Right(
        "Instrument,7\nserial,5\n" + PLAIN, "lines 1 to 2 above the table are left out"
    ),
    "long preamble": Right(
        "".join(f"Setting {i}: {i} V\n" for i in range(300)) + ">>> data <<<\n"
        "0.0\t1.5\n1.0\t2.5\n2.0\t3.5\n",
        "lines 1 to 301 above the table are left out",
    ),
    "long preamble of names and numbers": Right(
        "".join(f"Gain: {i}\n" for i in range(300)) + "0.0\t1.5\n1.0\t2.5\n2.0\t3.5\n",
        "lines 1 to 300 above the table are left out",
    ),
    "preamble, skipped": Right(
        "a,b,c\n1,2,3\n" + PLAIN, "x is t; y is s", ("--skip-rows", "2")
    ),
    "number of points above": Right("3\n" + PLAIN, "y is s", ("--skip-rows", "1")),
    "unnamed index": Right(",s\n0,1.5\n1,2.5\n2,3.5\n", "the first column has no name, as that of"),
    "pandas": Right(",t,s\n0,0,1.5\n1,1,2.5\n2,2,3.5\n", "column 1 numbers the rows and is"),
    "R": Right('"t" "s"\n"1" 0 1.5\n"2" 1 2.5\n"3" 2 3.5\n', "x is t; y is s"),
    "missing": Right(
        PLAIN + "3,#N/A\n#N/A,7\n4,<NA>\n5,null\n6,NaN\n7,-nan\n8,1.#QNAN\n9,n/a\n10,\n11,--\n",
        "13 rows, columns separated by commas, 9 cells of y empty or missing",
    ),
    "missing, said": Right(PLAIN + "3,OVER\n4,*\n", "2 cells of y", ("--missing", "over,*")),
    "comments": Right("# a, \"b\nt,s\n0,1.5\n# it's\n1,2.5\n\n2,3.5\n", "x is t; y is s"),
    "comments by %": Right("% by MATLAB, 2\n" + PLAIN, "x is t; y is s"),
    "comments by //": Right("// by C, 2\n" + PLAIN, "x is t; y is s"),
    "comments by ;": Right("; by Lisp, 2\n" + PLAIN, "x is t; y is s"),
    "comments by a sign, said": Right("! by VAX\n" + PLAIN, "x is t; y is s", ("--comment", "!")),
    "comments behind numbers": Right("0 1.5 # first\n1 2.5\n2 3.5\n", "blanks; x is 1; y is 2"),
    "names in a comment": Right("# t s\n0 1.5\n1 2.5\n2 3.5\n", "x is t; y is s"),
    "semicolons and an empty first cell": Right(";s\n0;1.5\n1;2.5\n2;3.5\n", "semicolons; x is 1"),
    "quoted line ends": Right(
        't,s,note\n0,1.5,"a\nb"\n1,2.5,"# c\n\n"\n2,3.5,d\n', "column note holds texts and is left"
    ),
    "sep=": Right("sep=;\nt;s\n0;1.5\n1;2.5\n2;3.5\n", "semicolons; x is t"),
    "separator, said": Right("t:s\n0:1.5\n1:2.5\n2:3.5\n", "x is t", ("--separator", ":")),
    "an empty column": Right("t,s,e\n0,1.5,\n1,2.5,\n2,3.5,\n", "column e holds nothing and"),
    "empty cells at the end": Right("t,s,,\n0,1.5,,\n1,2.5,,\n2,3.5,,\n,,,\n", "x is t; y is s"),
    "carriage returns": Right("t,s\r0,1.5\r1,2.5\r2,3.5\r", "x is t; y is s"),
    "the end mark of DOS": Right(PLAIN.replace("\n", "\r\n") + "\x1a", "x is t; y is s"),
    "a date beside": Right(
        "t,s,day\n0,1.5,2020-01-02\n1,2.5,2020-01-03\n2,3.5,2020-01-04\n",
        "column day holds dates and is left out",
    ),
    "a text and no names": Right("0,1.5,good\n1,2.5,good\n2,3.5,bad\n", "column 3 holds texts and"),
    "times": Right(
        "t,s\n12:30:59,1.5\n12:31:00,2.5\n12:31:01,3.5\n",
        "t is read as seconds from its first, 12:30:59",
    ),
    "times past midnight": Right("23:59:59,1.5\n00:00:00,2.5\n00:00:01,3.5\n", "from its first"),
    "times of 12 hours": Right(
        "t;s\n11:59:59 AM;1,5\n12:00:00 PM;2,5\n12:00:01 PM;3,5\n", "as seconds from its first"
    ),
    "times, said": Right("0:59,1.5\n1:00,2.5\n1:01,3.5\n", "from its first", ("--dates", "ms")),
    "times, more than 23": Right("58:59,1.5\n59:00,2.5\n59:01,3.5\n", "from its first, 58:59"),
    "dates with times": Right(
        "t,s\n2020-02-29T23:59:59.25Z,1.5\n2020-03-01T01:00:00.25+01:00,2.5\n"
        "2020-03-01T00:00:01.25Z,3.5\n",
        "x is t (s)",
    ),
    "dates of Germany": Right(
        "t;s\n31.12.2019 23:59:59;1,5\n01.01.2020 00:00:00;2,5\n01.01.2020 00:00:01;3,5\n",
        "decimal comma; x is t (s)",
    ),
    "dates of America": Right(
        "t,s\n12/31/2019 23:59:59,1.5\n1/1/2020 0:00:00,2.5\n1/1/2020 0:00:01,3.5\n", "x is t (s)"
    ),
    "dates with a month": Right(
        "31-Dec-2019 23:59:59,1.5\n01-Jan-2020 00:00:00,2.5\n01-Jan-2020 00:00:01,3.5\n", "(s)"
    ),
    "a column of dates and one of times": Right(
        "day,time,s\n2019-12-31,23:59:59,1.5\n2020-01-01,00:00:00,2.5\n2020-01-01,00:00:01,3.5\n",
        "day and time are one column, of dates with times",
    ),
    "errors": Right("t,s,err\n0,1.5,1\n1,2.5,1\n2,3.5,1\n", "column err is taken as sigma of s"),
    "errors, not wanted": Right(
        "t,s,err\n0,1.5,1\n1,2.5,1\n2,3.5,1\n", "column err seems to hold errors of s and is left",
        ("--sigma", "none"),
    ),
    "errors of x": Right(
        "t,dt,s\n0,1,1.5\n1,1,2.5\n2,1,3.5\n", "column dt seems to hold errors of t and is left out"
    ),
    "errors that are none": Right(
        "t,s,err\n0,1.5,-1\n1,2.5,1\n2,3.5,0\n", "column err seems to hold errors of s and is left"
    ),
}  # fmt: skip

# What spreadsheets write in languages of their users; of formulas that fail it is told.
NOT_AVAILABLE = ("#N/A", "#NV", "#N/D", "#N/DISP", "#I/T", "#Н/Д", "#n/d")
FAILED = ("#WERT!", "#DIV/0!", "#VALEUR!", "#¡VALOR!", "#¿NOMBRE?", "#NOM?", "#VÄRDEFEL!", "#ЗНАЧ!")
FAILED += ("#REF!", "#SPILL!", "Err:502", "#BRAK!")

RIGHT |= INSTRUMENTS
WRONG = {
    "a footer of fewer cells": (
        PLAIN.encode() + b"\nBaseline\nCollected: 3/4/2024\n",
        "if the table ends above line 6, say --skip-footer 2",
    ),
    "a footer of as many cells": (
        PLAIN.encode() + b"Mean,2.5\nSD,1\n",
        "if the table ends above it, say --skip-footer 2",
    ),
    "a word of the table's width below": (
        b"a b c\n0 1 2\n1 2 3\nEnd of run\n",
        "if the table ends above it, say --skip-footer 1",
    ),
    "a footer below a comment": (
        PLAIN.encode() + b"# done\nMean,2.5\n",
        "if the table ends above it, say --skip-footer 1",
    ),
    "a footer above a comment": (
        PLAIN.encode() + b"Mean,2.5\n\n# done\n",
        "if the table ends above it, say --skip-footer 2",
    ),
    "two blocks": (
        b"*BLOCK 1\n0 1\n1 2\n*END\n*BLOCK 2\n0 3\n1 4\n*END\n",
        "line 4: '*END' stands between rows of 2 cells; if a second table begins below it, "
        "--skip-footer 5 reads the first and --skip-rows 4 the second",
    ),
    "a remark between rows": (
        PLAIN.encode() + b"*** pump on ***\n3,4.5\n",
        'if it is a remark, --comment "*** pump on ***" leaves it out',
    ),
    "keywords that may be samples": (
        b"Labels,A\nType,Decay\nStart,1\nStop,2\n0,1\n1,2\n",
        "line 3, column Labels: 'Start' is not a number",
    ),
    "a keyword above": (
        b"X,CH1,Start\nSequence,VOLT,-6e-4\n0,1,\n1,2,\n2,3,\n",
        "if the table begins below it, say --skip-rows 2",
    ),
    "Igor text of two blocks": (
        b"IGOR\nWAVES\tt\nBEGIN\n0\n1\nEND\nWAVES\ts\nBEGIN\n2\n3\nEND\n",
        "is Igor text of several blocks of waves, which Igor also saves as delimited text",
    ),
    "x in a row with two units": (
        b"Well,0 min,30 min,1 h\nA,1,2,3\n",
        "line 1, column 2: '0 min' is not a number; a unit stands behind it",
    ),
    "JSON": (b'{"t": [0, 1],\n "s": [2, 3]}\n', "is JSON, not a table of numbers"),
    "JSON of rows": (b"[[0, 1],\n[2, 3]]\n", "is JSON, not a table of numbers"),
    "a table of HTML": (b"<table><tr><td>1</td></tr></table>", "is a web page or XML"),
    "packed JCAMP": (
        b"##TITLE=a\n##JCAMP-DX=4.24\n##XYDATA=(X++(Y..Y))\n400 1 2\n402 3 4\n##END=\n",
        "is JCAMP-DX with packed numbers",
    ),
    "empty": (b"", "holds no data"),
    "blank lines": (b"\n \n\t\n", "holds no data"),
    "names alone": (b"x,y\n", "holds no data"),
    "comments alone": (b"# x,y\n# 0,1\n", "holds no data"),
    "names and units alone": (b"x,y\ns,V\n", "has no column of numbers"),
    "one column": (b"1\n2\n3\n", "no column of numbers left for y; nothing separates columns"),
    "texts": (b"x,y\n" + b"lorem ipsum,dolor\n" * 5, "has no column of numbers"),
    "ragged": (b"0,1\n1,2\n3\n", "line 3: 1 cell, but line 1 has 2, where commas separate"),
    "ragged, too long": (b"x,y\n0,1\n1,2,3\n", "line 3: 3 cells, but line 2 has 2"),
    "decimal comma between commas": (b"t,s\n0,9,5\n1,8,5\n", "a decimal comma needs another"),
    "decimal comma, one column": (b"y\n1,5\n2,5\n", "line 2: 2 cells, but line 1 has 1"),
    "thousands and a decimal comma, one column": (
        b"y\n1.234,5\n1.235,5\n",
        "line 2: 2 cells, but line 1 has 1",
    ),
    "a number above": (b"5\n0,1\n1,2\n2,3\n", "leave it out by --skip-rows 1"),
    "decimal comma and point": (
        b"t;s\n0,5;1.5\n1,5;2.5\n",
        "line 2, column t: '0,5' has a decimal comma, but '1.5' in",
    ),
    "1,234 quoted": (b't,s\n0,"1,234"\n1,"2,345"\n', "'1,234' may be 1234 or have a decimal comma"),
    "1,234 between tabs": (b"t\ts\n0\t1,234\n1\t2,345\n", 'say --thousands "," or --decimal ","'),
    "1.234 among commas": (b"t;s\n0;1.234\n1;2,5\n", "'1.234' may be 1234 or have a decimal point"),
    "two separators of thousands": (
        b"t;s\n0;1 234.5\n1;1'234.5\n",
        "has other separators of thousands than",
    ),
    "percent": (
        b"t,s\n0,12%\n1,13%\n",
        "line 2, column s: '12%' is not a number; it is a percentage",
    ),
    "units behind": (
        b"t,s\n0,12 mV\n1,13 mV\n",
        "'12 mV' is not a number; a unit stands behind it",
    ),
    "limits": (b"t,s\n0,<0.5\n1,2\n", "'<0.5' is not a number; it tells a limit, not a value"),
    "errors behind": (
        "t,s\n0,1.5 ± 0.1\n1,2\n".encode(),
        "an error stands behind it, which wants a column",
    ),
    "a cell that was too narrow": (b"t,s\n0,1\n1,####\n", "too long for its cell, as spreadsheets"),
    "no serial date": (
        b"date,s\n-1,1\n2,2\n3,4\n",
        "column date: -1 is no date of a spreadsheet",
        ("--dates", "serial"),
    ),
    "widths of other curves": (
        b"#PicoHarp 300\n#ns/channel\n0.1\t0.1\n#counts\n5\n4\n3\n",
        "line 5: 1 curve, but the head tells the widths of 2",
    ),
    "overflow of an instrument": (b"t,s\n0,1\n1,OVER\n2,3\n", 'missing value say --missing "OVER"'),
    "overflow in the first row": (b"t,s\n0,OVER\n1,2\n2,3\n", "line 2, column s: 'OVER' is not"),
    "overflow and no names": (b"0,OVER\n1,2\n2,3\n", "line 1, column 2: 'OVER' is not a number"),
    "overflow beside a text": (b"id,t,s\nA,0,OVER\nB,1,2\nC,2,3\n", "line 2, column s: 'OVER'"),
    "overflow of Fortran": (b"0 ****\n1 2\n2 3\n", "too long for its field, as Fortran marks"),
    "a sum below": (b"t,s\n0,1\n1,2\nTotal,3\n", "line 4, column t: 'Total' is not a number"),
    "a second table below": (
        b"t,s\n0,1\n1,2\nt,s\n0,5\n",
        "line 4, column t: 't' is the name of the column; if",
    ),
    "times in two ways": (b"t,s\n12:30,1\n12:31,2\n", 'say --dates "hm" or --dates "ms"'),
    "dates in two ways": (b"1/2/2020,1\n1/3/2020,2\n", 'say --dates "dmy" or --dates "mdy"'),
    "no date": (b"t,s\n2020-02-30,1\n2020-03-01,2\n", "line 2, column t: '2020-02-30' is no date"),
    "a date among numbers": (b"t,s\n0,1\n2020-03-01,2\n2,3\n", "it looks like a date or a time"),
    "a zone for some": (
        b"t,s\n2020-01-01T10:00:00,1\n2020-01-01T10:00:01Z,2\n",
        "differ in whether they tell a time",
    ),
    "a NUL": (b"x,y\n0,1\n1,\0\n", "is no text: line 3 holds the character 0"),
    "junk": (bytes(range(256)) * 9, "is no text: line 1 holds the character 0"),
    "junk without NUL": (bytes(range(1, 256)) * 9, "is no text: line 1 holds the character 1"),
    "a spreadsheet": (b"PK\x03\x04" + bytes(60), "is a spreadsheet or another archive; save it as"),
    "a TIFF": (b"II*\0\x08\0\0\0" + bytes(100), "is a TIFF image; let its name end in .tif"),
    "an array of NumPy": (b"\x93NUMPY\x01\x00", "is an array of NumPy; let its name end in .npy"),
    "gzip": (b"\x1f\x8b\x08" + bytes(30), "is compressed by gzip; unpack it first"),
    "a web page": (b"<!DOCTYPE html>\n<html></html>", "is a web page or XML"),
    "a huge cell": (b"x,y\n0,1\n1," + b"9" * 200_000 + b"\n", "field larger than field limit"),
    "a quote that does not end": (
        b'x,y\n0,"' + b"1\n" * 100_000,
        "line 2: field larger than field",
    ),
    "a huge line": (b"x,y\n" + b"1," * 100_000 + b"\n", "line 2: 100001 cells, but line 1 has 2"),
    "a long word": (b"x,y\n0," + b"word " * 20_000 + b"\n1,2\n", "line 2, column y: 'word word"),
}
