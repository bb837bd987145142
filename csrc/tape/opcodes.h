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
    TW_OPERATIONS /* how many there are; functions that are not of this library follow */
};

#endif
