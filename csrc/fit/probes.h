/* probes.h - where the second attempt of a fit begins: at the best of some points around its start.
 *
 * Of PROBES points the one is taken whose chi2 is lowest with the linear parameters at their best.  Where the
 * data sets of first attempts lie side by side (lanes.h) the probes of one data set do, and the sums of a
 * trial tell that chi2 (certificate.h).  Else one probe after the other is evaluated, with its points side by
 * side.
 */
#ifndef TW_PROBES_H
#define TW_PROBES_H

#include "fit/lanes.h"
#include "fit/saddle.h"

enum { PROBES = 16 };
_Static_assert(PROBES % LANES == 0, "every lane gets a probe");
#define FAR_OFF ((real)100) /* a parameter at more than FAR_OFF times its start may have run off */

/* The later attempts of one fit after the other, by one thread. */
typedef struct {
    const tw_fit_job *job;
    single_fit *one;
    group *abreast;          /* where few points are given the probes lie side by side, else NULL */
    real *origin, *probe;    /* [P] the start that the user gave; the best probe */
    real *size;              /* [F] how far the probes of a parameter go that starts at 0 */
    real *theta, *R;         /* [P], triangle of F + 1: the best result so far ... */
    real chi2, proved;       /* ... its chi2; the least that was proved to be reached */
    real more[FURTHER_SUMS]; /* what follows the triangle of its sums */
    mask_int status, lost, n_iter;
    int alike; /* two attempts have run off to the same chi2 */
} retry;

static retry *retry_on(arena *a, const tw_fit_job *job, const tw_fit_job *curved, int n_workers) {
    TAKE_ROOT(a, retry, r);
    const ptrdiff_t P = job->tape->n_theta, F = job->tape->n_free;
    *r = (retry){.job = job};
    r->origin = TAKE(a, real, P), r->probe = TAKE(a, real, P), r->size = TAKE(a, real, F);
    r->theta = TAKE(a, real, P), r->R = TAKE(a, real, tri(F + 1, 0));
    single_fit *one = single_fit_on(a, job, n_workers, NULL),
               *bends = curved ? single_fit_on(a, curved, n_workers, NULL) : NULL;
    if (!a->measuring)
        r->one = one, one->curved = bends;
    if (job->n_points <= SIDE_BY_SIDE && !job->call) {
        r->abreast = TAKE(a, group, 1);
        const group g = lanes_on(a, job, NULL);
        if (!a->measuring)
            *r->abreast = g;
    }
    return place;
}

/* The k-th number, in (0, 1), of van der Corput's sequence in this base */
static real radical_inverse(int k, int base) {
    double inverse = 0, digit = 1;
    for (; k; k /= base) {
        digit /= base;
        inverse += digit * (k % base);
    }
    return (real)inverse;
}

static int next_prime(int p) {
    for (int divisor = 2; ++p, 1;) {
        for (divisor = 2; divisor * divisor <= p && p % divisor; divisor++)
            ;
        if (divisor * divisor > p)
            return p;
    }
}

/* The k-th probe of parameter j, whose start is 0 and so cannot be multiplied.  Probes lie on both sides of
 * 0, as far as changes the model by as much as its residual (size_of_effect), times `factor`. */
static real probe_from_zero(const retry *r, int j, int k, real factor) {
    const fits *s = &r->one->s;
    const ptrdiff_t at = (ptrdiff_t)s->free_theta[j] * LANES;
    const real theta = r->size[j] * factor * (k % 2 ? 1 : -1);
    return theta < s->lower[at] || theta > s->upper[at] ? -theta : theta;
}

/* The parameter without bounds that the first attempt has taken farthest from its start, beyond FAR_OFF times
 * it; -1 if there is none, or if the attempt is a success. */
static int farthest(const retry *r) {
    const fits *s = &r->one->s;
    real most = FAR_OFF;
    int parameter = -1;
    for (int j = 0; j < s->F && r->status <= 0; j++) {
        const int i = s->free_theta[j];
        const real ratio = (real)fabs(r->theta[i] / r->origin[i]);
        if (!s->projected[j] && r->origin[i] != 0 && ratio > most && has_no_bound(s, i, 0)[0])
            most = ratio, parameter = i;
    }
    return parameter;
}

/* Set `trial`, a lane of [P][LANES], to the k-th probe, with the parameters that are to be put at their best
 * at 0: what they start at may be so large that nothing else is left in the residual.  Parameter `crossed`,
 * unless that is -1, gets the other sign and 1 to 100 times the size of its start, as beyond infinity. */
static void set_probe(const retry *r, int k, int crossed, real *trial) {
    const fits *s = &r->one->s;
    for (int j = 0; j < s->P; j++)
        trial[j * LANES] = r->origin[j];
    for (int j = 0, prime = 1; j < s->F; j++) {
        const ptrdiff_t i = s->free_theta[j], at = i * LANES;
        if (s->projected[j])
            trial[at] = 0;
        if (s->projected[j] || s->lower[at] == s->upper[at])
            continue;
        prime = next_prime(prime);
        const real exponent = 2 * radical_inverse(k, prime);
        const real factor = i == crossed ? -(real)pow(10, exponent) : (real)pow(10, exponent - 1);
        const real theta = r->origin[i] == 0 ? probe_from_zero(r, j, k, factor) : r->origin[i] * factor;
        trial[at] = theta < s->lower[at] ? s->lower[at] : theta > s->upper[at] ? s->upper[at] : theta;
    }
}

/* Put the data set of `one` into every lane of a group. */
static void fill_lanes_alike(group *g, const single_fit *one) {
    const ptrdiff_t N = g->job->n_points;
    sample data = {.y = g->y, .weight = g->weight, .stride = LANES, .unseen = -1};
    load_points(g->job, one->fit, 0, N, &data);
    for (ptrdiff_t i = 0; i < N * LANES; i++)
        g->y[i] = g->y[i / LANES * LANES], g->weight[i] = g->weight[i / LANES * LANES];
    g->partial = 1;
    for (ptrdiff_t i = 0; i < g->s.P * (ptrdiff_t)LANES && g->t.bounded; i++) {
        g->s.lower[i] = one->s.lower[i / LANES * LANES];
        g->s.upper[i] = one->s.upper[i / LANES * LANES];
    }
    expand_points(&one->workers->m, N, g->m.point, -1);
    for (int l = 0; l < LANES; l++)
        g->scale[l] = f_scale_of(g->job, one->fit);
}

/* Put into chi2 [LANES] that of probes k ... k + LANES - 1, with their linear parameters at their best. */
static void evaluate_abreast(const retry *r, int k, int crossed, real *chi2) {
    const fits *s = &r->abreast->s;
    for (int l = 0; l < LANES; l++)
        set_probe(r, k + l, crossed, s->trial + l);
    evaluate_group(r->abreast);
    for (int o = 0; o < LANES; o += VL) {
        const vec reduced = reduced_chi2(s, r->abreast->t.bounded, o);
        const vec rounding = 16 * REAL_EPS * LOAD(s->trial_sum, tri(s->F, s->F));
        STORE(chi2, 0, v_sel(reduced < rounding, rounding, reduced)); /* NaN stays */
    }
}

/* The same one by one */
static void evaluate_in_turn(const retry *r, int k, int crossed, real *chi2) {
    for (int l = 0; l < LANES; l++) {
        set_probe(r, k + l, crossed, r->one->s.trial);
        chi2[l] = project(r->one);
    }
}

/* The number of the probe of least chi2; 0 where none has a chi2, or the watch asked to stop. */
static int best_probe(const retry *r, int crossed) {
    real chi2[LANES] __attribute__((aligned(64))), least = (real)INFINITY;
    int best = 0;
    for (int k = 1; k <= PROBES; k += LANES) {
        (r->abreast ? evaluate_abreast : evaluate_in_turn)(r, k, crossed, chi2);
        if (stopped(r->one))
            return 0;
        for (int l = 0; l < LANES; l++)
            if (chi2[l] < least)
                least = chi2[l], best = k + l;
    }
    return best;
}

/* Look at PROBES probes; if the lowest chi2 of them is below *lowest it replaces that, and its place goes to
 * `probe`.  Returns 0 where the watch asked to stop. */
static int choose_among(retry *r, int crossed, real *lowest) {
    single_fit *one = r->one;
    fits *s = &one->s;
    const int best = best_probe(r, crossed);
    r->n_iter += PROBES;
    if (!best)
        return !stopped(one);
    set_probe(r, best, crossed, s->trial);
    const real chi2 = project(one);
    if (chi2 < *lowest) {
        *lowest = chi2;
        for (int j = 0; j < s->P; j++)
            r->probe[j] = s->trial[j * LANES];
    }
    return !stopped(one);
}

/* Put the start of the second attempt into `probe`.  Returns 0 where the watch asked to stop. */
static int choose_probe(retry *r) {
    real lowest = (real)INFINITY;
    memcpy(r->probe, r->origin, (size_t)r->one->s.P * sizeof(real));
    if (!choose_among(r, -1, &lowest))
        return 0;
    const int crossed = farthest(r);
    return crossed < 0 || lowest < r->chi2 || choose_among(r, crossed, &lowest);
}

#endif
