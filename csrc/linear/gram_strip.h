/* gram_strip.h - strips of copied columns, and tiles of their Gram matrix, for one type of what is copied.
 *
 * dense_gram.h includes it for each type, with
 *
 *     element             double or float,
 *     elements            a native vector of them, as long as DL doubles,
 *     elements_unaligned  the same at any address,
 *     converted           a vector of DL elements at any address,
 *     STRIP_OF(name)      the name with the type at its end.
 */

enum {
    STRIP_OF(IN_VECTOR) = sizeof(elements) / sizeof(element), /* elements of a native vector */
    STRIP_OF(STRIP) = SIDE * STRIP_OF(IN_VECTOR),             /* columns of a strip */
};

/* Copy DL columns x, less their means and times root [rows] (NULL: 1), to `to`, whose rows are a strip apart,
 * and write the columns' products with u [rows] (NULL: 0) to sum [DL].  Squares of DL by DL numbers are
 * transposed in registers; returns how many rows are done by whole squares. */
static ptrdiff_t STRIP_OF(copy_squares)(const real *const *x, const double *mean, const double *root,
                                        const double *u, ptrdiff_t rows, element *to, double *sum) {
    dvec product[DL] = {{0}};
    ptrdiff_t r = 0;
    for (; r + DL <= rows; r += DL) {
        const dvec v = u ? d_load(u + r) : (dvec){0};
        dvec a[DL];
        for (int k = 0; k < DL; k++) {
            a[k] = d_load_real(x[k] + r) - mean[k];
            product[k] += v * a[k];
            a[k] = root ? d_load(root + r) * a[k] : a[k];
        }
        transpose(a);
        for (int l = 0; l < DL; l++)
            *(converted *)(to + (r + l) * STRIP_OF(STRIP)) = __builtin_convertvector(a[l], converted);
    }
    fold_each(product, sum);
    return r;
}

/* Copy rows [i, i + rows) of the DL columns from number `first` of the list on, and add to their products
 * with u.  Beyond the end of the list the last column is repeated; the products with it are not used. */
static void STRIP_OF(copy_columns)(const gram_job *g, ptrdiff_t first, ptrdiff_t i, ptrdiff_t rows,
                                   element *to) {
    const struct tw_columns *c = g->c;
    const double *root = c->weights ? g->root + (i - g->begin) : NULL, *u = g->u ? g->u + i : NULL;
    const real *x[DL];
    double mean[DL], sum[DL] = {0};
    for (int k = 0; k < DL; k++) {
        const ptrdiff_t j = chosen_at(&g->which, least(first + k, g->which.m - 1));
        x[k] = (const real *)c->A + j * c->column_step + i * c->row_step;
        mean[k] = c->mean ? c->mean[j] : 0;
    }
    const ptrdiff_t done = c->row_step == 1 ? STRIP_OF(copy_squares)(x, mean, root, u, rows, to, sum) : 0;
    for (ptrdiff_t r = done; r < rows; r++)
        for (int k = 0; k < DL; k++) {
            const double y = (double)x[k][r * c->row_step] - mean[k];
            to[r * STRIP_OF(STRIP) + k] = (element)(root ? root[r] * y : y);
            sum[k] += u ? u[r] * y : 0;
        }
    for (ptrdiff_t k = 0; g->u && k < least(DL, g->which.m - first); k++)
        g->product[first + k] += sum[k];
}

/* Copy rows [begin, end) of the strip, DL columns from their first row to the last, since memory is faster
 * where it is read in long runs; of the last strip only the vectors that hold columns. */
static void STRIP_OF(copy_strip)(const gram_job *g, ptrdiff_t strip) {
    const ptrdiff_t first = strip * STRIP_OF(STRIP), lanes = STRIP_OF(IN_VECTOR);
    const ptrdiff_t columns = least(STRIP_OF(STRIP), pieces(g->which.m - first, lanes) * lanes);
    element *to = (element *)g->packed + first * g->rows;
    for (ptrdiff_t k = 0; k < columns; k += DL)
        for (ptrdiff_t i = g->begin; i < g->end; i += BLOCK_ROWS)
            STRIP_OF(copy_columns)(g, first + k, i, least(BLOCK_ROWS, g->end - i),
                                   to + (i - g->begin) * STRIP_OF(STRIP) + k);
}

/* tile [DL][STRIP] = the products of `count` columns with `side` vectors of columns, summed over rows.
 *
 * left, right  the first of these columns, in rows that are STRIP elements apart
 * rows         how many rows, at least 1
 * count        DL or half of it, a constant of each call
 * side         1, 2 or SIDE, a constant of each call, so that the sums stay in registers */
TW_INLINE void STRIP_OF(strip_tile)(const element *left, const element *right, ptrdiff_t rows,
                                    const int count, const int side, element *tile) {
    elements sum[DL][SIDE] = {{{0}}};
    for (ptrdiff_t r = 0; r < rows; r++) {
        elements y[SIDE];
        TW_UNROLL
        for (int v = 0; v < side; v++)
            y[v] = *(const elements_unaligned *)(right + r * STRIP_OF(STRIP) + v * STRIP_OF(IN_VECTOR));
        TW_UNROLL
        for (int k = 0; k < count; k++) {
            TW_UNROLL
            for (int v = 0; v < side; v++)
                sum[k][v] += left[r * STRIP_OF(STRIP) + k] * y[v];
        }
    }
    TW_UNROLL
    for (int k = 0; k < count; k++) {
        TW_UNROLL
        for (int v = 0; v < side; v++)
            *(elements_unaligned *)(tile + k * STRIP_OF(STRIP) + v * STRIP_OF(IN_VECTOR)) = sum[k][v];
    }
}

/* The same for any number of vectors up to SIDE. */
TW_INLINE void STRIP_OF(strip_tiles)(const element *left, const element *right, ptrdiff_t rows,
                                     const int count, ptrdiff_t side, element *tile) {
    if (side == 1)
        STRIP_OF(strip_tile)(left, right, rows, count, 1, tile);
    else if (side == 2)
        STRIP_OF(strip_tile)(left, right, rows, count, 2, tile);
    else
        STRIP_OF(strip_tile)(left, right, rows, count, SIDE, tile);
}

/* Add the products of DL columns with a strip of columns to the matrix, up to the vector that holds the
 * diagonal.  Products of the first `known` columns, and of what repeats the last column, are left out.
 *
 * i          the first of the DL columns: rows of the matrix
 * j          the first column of the strip: columns of the matrix
 * row, rows  the copied rows [row, row + rows), one block */
static void STRIP_OF(add_tile)(const gram_job *g, ptrdiff_t i, ptrdiff_t j, ptrdiff_t row, ptrdiff_t rows) {
    const ptrdiff_t first = i / STRIP_OF(STRIP) * STRIP_OF(STRIP), lanes = STRIP_OF(IN_VECTOR);
    const element *left = (const element *)g->packed + first * g->rows + row * STRIP_OF(STRIP) + (i - first);
    const element *right = (const element *)g->packed + j * g->rows + row * STRIP_OF(STRIP);
    const ptrdiff_t side = j < first ? SIDE : (i - first) / lanes + 1;
    element tile[DL * STRIP_OF(STRIP)];
    if (g->which.m - i <= DL / 2)
        STRIP_OF(strip_tiles)(left, right, rows, DL / 2, side, tile);
    else
        STRIP_OF(strip_tiles)(left, right, rows, DL, side, tile);
    for (ptrdiff_t k = most(0, g->known - i); k < least(DL, g->which.m - i); k++)
        for (ptrdiff_t l = 0; l < least(side * lanes, g->which.m - j); l++)
            g->gram[(i + k) * g->row_step + j + l] += (double)tile[k * STRIP_OF(STRIP) + l];
}

/* Add what the copied rows contribute to one strip of rows of the matrix, up to the diagonal. */
static void STRIP_OF(add_strip)(const gram_job *g, ptrdiff_t strip) {
    const ptrdiff_t first = strip * STRIP_OF(STRIP), end = least(first + STRIP_OF(STRIP), g->which.m);
    const ptrdiff_t rows = g->end - g->begin;
    for (ptrdiff_t other = 0; other <= first; other += STRIP_OF(STRIP))
        for (ptrdiff_t row = 0; row < rows; row += BLOCK_ROWS)
            for (ptrdiff_t i = most(first, g->known / DL * DL); i < end; i += DL)
                STRIP_OF(add_tile)(g, i, other, row, least(BLOCK_ROWS, rows - row));
}

#undef element
#undef elements
#undef elements_unaligned
#undef converted
#undef STRIP_OF
