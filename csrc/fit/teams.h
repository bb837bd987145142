/* teams.h - data sets that share parameters: their memory, and sums over them.
 *
 * A group of data sets that share parameters is called a *team* here, and each of its data sets a *member*,
 * for a group of this engine is one of lanes.  The members of a team lie side by side in the lanes of
 * *packets*, LANES of them in each.  A thread takes several small teams at a time, whose members follow one
 * another in a *bundle* of packets; a large team is a bundle alone, whose packets the threads share.
 *
 * A member has its own copy of every number, of the shared parameters too.  What members contribute to their
 * team is summed in double, in pieces of PIECE members and these in order: so the sums, and all that follows
 * from them, depend on the team alone, not on its neighbours nor on the number of threads.
 */
#ifndef TW_TEAMS_H
#define TW_TEAMS_H

#include "fit/lanes.h"

enum {
    PIECE = 64, /* members that are summed one after the other */
    BUNDLE_POINTS =
        8192,          /* small teams fill a bundle up to so many points: 64 KiB of y, in the second cache */
    LEAST_BUNDLE = 32, /* but up to at least so many members, so that most lanes have one */
    LARGE_TEAM = 512,  /* threads share the packets of a team of at least so many members */
    PACKETS_AT_ONCE = 4, /* packets that a thread claims at a time */
};

/* The arrays of a bundle, each [packet][rows][LANES].  L parameters of a member are its own, S are shared. */
typedef enum {
    THETA,     /* [P] */
    TRIAL,     /* [P] */
    LOWER,     /* [P] */
    UPPER,     /* [P] */
    SUM,       /* triangle of F + 1: [J|e]'[J|e] at theta */
    TRIAL_SUM, /* the same at the trial */
    SCALE2,    /* [F]  D^2, the largest (J'J)_jj so far */
    STEP,      /* [F]  trial - theta */
    HELD,      /* [F]  mask: the parameter is at a bound, and its step is given */
    HALF,      /* [S + 1][L]  see arrow.h */
    SOLVED,    /* [S + 1][L] */
    FACTOR,    /* triangle of L */
    PIVOT,     /* [L] */
    SHARE,     /* [n_share]  what a member contributes to the sums of its team */
    LAMBDA,    /* [1]  the damping of the team */
    KEEP,      /* [1]  mask: the member is one of those that a masked pass is about */
    ALIVE,     /* [1]  mask: the member takes part */
    FATE,      /* [1]  of a member that has left its team: 1 + the parameter that runs off, or -1; else 0 */
    MAGNITUDE, /* [1]  sum (y/sigma)^2 */
    Y,         /* [N] */
    WEIGHT,    /* [N]  1 / sigma, or 0; not stored where all are 1 */
    POINTS,    /* [n_point][N]  the point slots, where x differs between members */
    N_ARRAYS
} array_name;

typedef enum { TEAM_RUNS, TEAM_MAY_STOP, TEAM_STOPS, TEAM_IS_DONE } team_state;

/* A team under way.  Its arrays have an element for each shared parameter. */
typedef struct {
    ptrdiff_t number;   /* of the job's groups */
    ptrdiff_t first, n; /* its members' places in the bundle, packet * LANES + lane */
    ptrdiff_t lead;     /* the place of a member that takes part */
    team_state state;
    int status;      /* a tw_status, of a team that may stop or stops */
    int lost;        /* with TW_SINGULAR: the place of the shared parameter */
    int fresh, kept; /* the trial is the start; the last trial was kept */
    int again;       /* its step is to be found (again) */
    int news;        /* the pass under way is about this team */
    int small, cut;  /* the step is small; a bound has cut it */

    int idle, in_vain; /* as in damped.h */
    int32_t n_iter;
    int until_mark;       /* kept trials until the next mark */
    double mark[MARKS];   /* chi2 at earlier marks, the latest first */
    int64_t used;         /* points of the members that take part */
    ptrdiff_t n_free;     /* parameters of these, each shared one once */
    double lambda, delta; /* the damping, and the limit of |D d| */
    double chi2, noise, magnitude;
    double above;           /* chi2 less the smallest chi2 so far */
    double promised, slope; /* by the step: the reduction of chi2, and d'J'e */
    double length, moved;   /* |D d| of the step, and of the last that was kept */
    double resumed,
        unsettled; /* at the last confirmation: chi2, and what members not at a minimum promised */
    double *theta, *lower, *upper, *step, *scale2;
    double *gradient, *square;    /* J'e and the diagonal of J'J, and behind each the same at the trial */
    double *matrix;               /* triangle of S + 1: the Schur complement and its right-hand side */
    double *inverse;              /* triangle of S */
    double *pivot, *sums, *piece; /* [S], [n_share], [n_share] */
    int *held;
} team;

/* What one thread evaluates packets with. */
typedef struct {
    group *lanes;    /* members side by side, or NULL */
    single_fit *one; /* else points side by side */
} evaluator;

typedef struct bundle {
    const tw_fit_job *job;
    const tw_fit_groups *groups;
    tolerances t;
    int P, F, S, L, n_share;
    int32_t *local; /* [L] the places among the free parameters of those that are not shared */
    int own_x;
    ptrdiff_t most_places, n_places, most_teams, n_teams;
    ptrdiff_t rows[N_ARRAYS];
    real *array[N_ARRAYS];
    ptrdiff_t *fit_at; /* [place] the data set of the member there */
    uint8_t *flag;     /* [packet] it is to be computed */
    team *teams;
    evaluator *evaluators;
    int threads;
    struct tw_watch *watch;
    void (*pass)(struct bundle *, evaluator *, ptrdiff_t packet); /* under way, of the next packet */
    _Atomic ptrdiff_t next;
} bundle;

/* The arrays of one packet, as LOAD and STORE take them. */
typedef struct {
    const bundle *b;
    real *at[N_ARRAYS];
} packet;

static packet packet_at(const bundle *b, ptrdiff_t k) {
    packet p = {.b = b};
    for (int a = 0; a < N_ARRAYS; a++)
        p.at[a] = b->array[a] + k * b->rows[a] * LANES;
    return p;
}

/* Element `row` of an array, of the member at a place. */
TW_INLINE real *member_at(const bundle *b, array_name a, ptrdiff_t place, ptrdiff_t row) {
    return b->array[a] + (place / LANES * b->rows[a] + row) * LANES + place % LANES;
}

TW_INLINE void set_mask(const bundle *b, array_name a, ptrdiff_t place, ptrdiff_t row, int value) {
    const mask_int mask = value ? -1 : 0;
    memcpy(member_at(b, a, place, row), &mask, sizeof mask);
}

TW_INLINE int mask_at(const bundle *b, array_name a, ptrdiff_t place, ptrdiff_t row) {
    mask_int mask;
    memcpy(&mask, member_at(b, a, place, row), sizeof mask);
    return mask != 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void count_rows(bundle *b) {
    const tw_tape *tape = b->job->tape;
    const ptrdiff_t N = b->job->n_points <= SIDE_BY_SIDE ? b->job->n_points : 0;
    const ptrdiff_t P = b->P, F = b->F, L = b->L, S = b->S, T = tri(F + 1, 0);
    const ptrdiff_t rows[N_ARRAYS] = {[THETA] = P,
                                      [TRIAL] = P,
                                      [LOWER] = P,
                                      [UPPER] = P,
                                      [SUM] = T,
                                      [TRIAL_SUM] = T,
                                      [SCALE2] = F,
                                      [STEP] = F,
                                      [HELD] = F,
                                      [HALF] = (S + 1) * L,
                                      [SOLVED] = (S + 1) * L,
                                      [FACTOR] = tri(L, 0),
                                      [PIVOT] = L,
                                      [SHARE] = b->n_share,
                                      [LAMBDA] = 1,
                                      [KEEP] = 1,
                                      [ALIVE] = 1,
                                      [FATE] = 1,
                                      [MAGNITUDE] = 1,
                                      [Y] = N,
                                      [WEIGHT] = b->groups->partial ? N : 0,
                                      [POINTS] = b->own_x ? tape->n_point * N : 0};
    memcpy(b->rows, rows, sizeof rows);
}

static team team_on(arena *a, const bundle *b) {
    const ptrdiff_t S = b->S;
    team t = {.lost = -1};
    t.theta = TAKE(a, double, S), t.lower = TAKE(a, double, S), t.upper = TAKE(a, double, S);
    t.step = TAKE(a, double, S), t.scale2 = TAKE(a, double, S), t.pivot = TAKE(a, double, S);
    t.gradient = TAKE(a, double, 2 * S), t.square = TAKE(a, double, 2 * S);
    t.matrix = TAKE(a, double, tri(S + 1, 0)), t.inverse = TAKE(a, double, tri(S, 0));
    t.sums = TAKE(a, double, b->n_share), t.piece = TAKE(a, double, b->n_share);
    t.held = TAKE(a, int, S);
    return t;
}

/* The parameters that are not shared, into local [L]. */
static void list_local(const bundle *b) {
    for (int32_t j = 0, c = 0, i = 0; j < b->F; j++)
        if (c < b->S && b->groups->shared[c] == j)
            c++;
        else
            b->local[i++] = j;
}

/* Memory for at most `places` members of at most `most_teams` teams, whose packets `threads` threads share.
 * An x that all data sets share has been run through the x stage before (lanes.h: group_on). */
static bundle *bundle_on(arena *a, const tw_fit_job *job, const tw_fit_groups *groups, int own_x,
                         ptrdiff_t places, ptrdiff_t most_teams, int threads, real *packed, real *expanded) {
    TAKE_ROOT(a, bundle, b);
    *b = (bundle){.job = job, .groups = groups, .t = tolerances_of(job, job->most_attempts)};
    b->P = job->tape->n_theta, b->F = job->tape->n_free, b->S = groups->n_shared, b->L = b->F - b->S;
    b->n_share = (int)most(tri(b->S + 1, 0) + 1, most(2 * b->S + 2, 5));
    b->own_x = own_x, b->threads = threads;
    b->most_places = pieces(places, LANES) * LANES, b->most_teams = most_teams;
    count_rows(b);
    for (int k = 0; k < N_ARRAYS; k++)
        b->array[k] = TAKE(a, real, b->most_places * b->rows[k]);
    b->fit_at = TAKE(a, ptrdiff_t, b->most_places);
    b->flag = TAKE(a, uint8_t, b->most_places / LANES);
    b->local = TAKE(a, int32_t, b->L);
    b->teams = TAKE(a, team, most_teams);
    for (ptrdiff_t k = 0; k < most_teams; k++) {
        const team t = team_on(a, b);
        if (!a->measuring)
            b->teams[k] = t;
    }
    b->evaluators = TAKE(a, evaluator, threads);
    for (int k = 0; k < threads; k++) {
        const int lanes = job->n_points <= SIDE_BY_SIDE;
        void *made = lanes ? (void *)group_on(a, job, own_x, packed, expanded)
                           : (void *)single_fit_on(a, job, 1, packed);
        if (a->measuring)
            continue;
        b->evaluators[k].lanes = lanes ? made : NULL;
        b->evaluators[k].one = lanes ? b->evaluators[k].lanes->one : made;
    }
    if (!a->measuring)
        list_local(b);
    return place;
}

/* Move a member to an earlier place. */
static void move_member(const bundle *b, ptrdiff_t from, ptrdiff_t to) {
    for (int a = 0; a < N_ARRAYS; a++) {
        real *out = member_at(b, a, to, 0);
        const real *in = member_at(b, a, from, 0);
        for (ptrdiff_t row = 0; row < b->rows[a]; row++)
            out[row * LANES] = in[row * LANES];
    }
    b->fit_at[to] = b->fit_at[from];
}

/* Take the teams that are done out of the bundle.  Where they leave many lanes without work, the members of
 * the others move together. */
static void close_ranks(bundle *b) {
    ptrdiff_t n = 0, members = 0;
    for (ptrdiff_t k = 0; k < b->n_teams; k++) {
        if (b->teams[k].state == TEAM_IS_DONE)
            continue;
        const team kept = b->teams[k];
        b->teams[k] = b->teams[n];
        b->teams[n++] = kept;
        members += kept.n;
    }
    b->n_teams = n;
    if (4 * members > 3 * b->n_places)
        return;
    b->n_places = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        team *t = b->teams + k;
        for (ptrdiff_t i = 0; i < t->n && t->first != b->n_places; i++)
            move_member(b, t->first + i, b->n_places + i);
        t->lead += b->n_places - t->first;
        t->first = b->n_places;
        b->n_places += t->n;
    }
    for (ptrdiff_t place = b->n_places; place % LANES; place++)
        set_mask(b, ALIVE, place, 0, 0);
}

/* ---- passes and sums ------------------------------------------------------------------------- */

/* Let the packets of a team be computed by the next pass. */
static void flag_team(bundle *b, const team *t) {
    for (ptrdiff_t k = t->first / LANES; k <= (t->first + t->n - 1) / LANES; k++)
        b->flag[k] = 1;
}

/* Compute packets, in one thread, until none is left. */
static void run_packets(void *context, ptrdiff_t part) {
    bundle *b = context;
    const ptrdiff_t n = pieces(b->n_places, LANES);
    for (ptrdiff_t first; (first = claim(&b->next, PACKETS_AT_ONCE, n, b->watch)) >= 0;)
        for (ptrdiff_t k = first; k < least(first + PACKETS_AT_ONCE, n); k++)
            if (b->flag[k])
                b->pass(b, b->evaluators + part, k);
}

/* Do something with each packet that is flagged, and take the flags down.  Where a packet holds members of
 * other teams, too, it is done with them as well: so a pass must leave them as it finds them, or in a state
 * that the next pass over them replaces.  Returns 0 if the watch asks to stop. */
static int run_pass(bundle *b, void (*pass)(bundle *, evaluator *, ptrdiff_t)) {
    b->pass = pass;
    atomic_store(&b->next, 0);
    if (b->threads > 1)
        tw_parallel(run_packets, b, b->threads, b->threads, b->watch);
    else
        run_packets(b, 0);
    memset(b->flag, 0, (size_t)pieces(b->n_places, LANES));
    return !tw_stopped(b->watch);
}

/* Run a pass that changes the members of KEEP alone, and empty KEEP behind it. */
static int run_masked(bundle *b, void (*pass)(bundle *, evaluator *, ptrdiff_t)) {
    const int goes_on = run_pass(b, pass);
    memset(b->array[KEEP], 0, (size_t)(pieces(b->n_places, LANES) * LANES) * sizeof(real));
    return goes_on;
}

/* Sum the first n rows of what the members of a team contribute, into its sums. */
static void sum_team(const bundle *b, team *t, int n) {
    const size_t bytes = (size_t)n * sizeof *t->sums;
    memset(t->sums, 0, bytes);
    for (ptrdiff_t begin = 0; begin < t->n; begin += PIECE) {
        memset(t->piece, 0, bytes);
        for (ptrdiff_t i = begin; i < least(begin + PIECE, t->n); i++) {
            const real *share = member_at(b, SHARE, t->first + i, 0);
            for (int row = 0; row < n; row++)
                t->piece[row] += share[row * LANES];
        }
        for (int row = 0; row < n; row++)
            t->sums[row] += t->piece[row];
    }
}

/* ---- who takes part ------------------------------------------------------------------------------ */

/* How many local parameters of a data set are free. */
static int count_local(const bundle *b, ptrdiff_t fit) {
    int n = 0;
    for (int i = 0; i < b->L; i++)
        n += !(b->job->fixed && ROW(uint8_t, b->job->fixed, b->P)[b->job->tape->free_theta[b->local[i]]]);
    return n;
}

/* Count what the members of a team that take part bring into it; returns whether that is enough points. */
static int count_members(const bundle *b, team *t) {
    t->used = 0, t->n_free = 0, t->magnitude = 0, t->lead = -1;
    for (ptrdiff_t place = t->first; place < t->first + t->n; place++)
        if (mask_at(b, ALIVE, place, 0)) {
            t->lead = t->lead < 0 ? place : t->lead;
            t->used += b->job->n_used[b->fit_at[place]];
            t->n_free += count_local(b, b->fit_at[place]);
            t->magnitude += *member_at(b, MAGNITUDE, place, 0);
        }
    t->n_free += b->S;
    return t->lead >= 0 && t->used >= t->n_free;
}

#endif
