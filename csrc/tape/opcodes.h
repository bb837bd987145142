/* opcodes.h - the numbers of the operations of operations.h, TW_OP_copy and so on. */
#ifndef TW_OPCODES_H
#define TW_OPCODES_H

enum {
#define TW_OP1(name, value) TW_OP_##name,
#define TW_OP2(name, value) TW_OP_##name,
#define TW_OP3(name, value) TW_OP_##name,
#include "tape/operations.h"
#undef TW_OP1
#undef TW_OP2
#undef TW_OP3
    TW_OPERATIONS, /* how many there are */

    /* Operations with the number of a table (tape/contract.h) as their last operand, in the order of _core/
     * operations.pyx.  Of these only TW_LOOKUP is an instruction; sections do the others. */
    TW_FIXED = TW_OPERATIONS, /* a curve of numbers */
    TW_CURVE,                 /* a curve slot, which is read */
    TW_MIX,                   /* a table applied to a curve */
    TW_MOVED,                 /* the same with a shift */
    TW_TOTAL,                 /* the sum of a curve */
    TW_LOOKUP,                /* the value of a function that a table gives */

    TW_FUNCTIONS /* functions that are not of this library follow */
};

#endif
