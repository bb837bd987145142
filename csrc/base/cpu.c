/* cpu.c - the x86-64 microarchitecture level, from CPUID.
 *
 * The levels are those of the x86-64 psABI, table 3.1: v2 is SSE4.2, v3 is AVX2 with FMA, v4 is
 * AVX-512 F, BW, CD, DQ and VL.  A processor that has wide registers is not enough, the
 * operating system must save them at a context switch: XCR0 says so (Intel SDM vol. 1, 14.3).
 *
 * __builtin_cpu_supports is not used because it answers 0 to everything under `zig cc` and does
 * not compile on Apple's arm64.
 */
#include "base/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };

struct features {
    unsigned leaf1_ecx, leaf7_ebx, extended_ecx;
};

static struct features read_features(void) {
    unsigned one[4] = {0}, seven[4] = {0}, extended[4] = {0};
    __get_cpuid_count(1, 0, &one[EAX], &one[EBX], &one[ECX], &one[EDX]);
    __get_cpuid_count(7, 0, &seven[EAX], &seven[EBX], &seven[ECX], &seven[EDX]);
    __get_cpuid_count(0x80000001u, 0, &extended[EAX], &extended[EBX], &extended[ECX], &extended[EDX]);
    return (struct features){one[ECX], seven[EBX], extended[ECX]};
}

/* XCR0: which registers the operating system saves.  To be read only where OSXSAVE is set. */
static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

#define BIT(n) (1u << (n))
static int has_all(unsigned value, unsigned bits) { return (value & bits) == bits; }

/* The bits are SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF. */
static int has_v2(struct features f) {
    return has_all(f.leaf1_ecx, BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23)) &&
           has_all(f.extended_ecx, BIT(0));
}

/* The bits are FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; xmm and ymm registers are saved. */
static int has_v3(struct features f) {
    return has_all(f.leaf1_ecx, BIT(12) | BIT(22) | BIT(27) | BIT(28) | BIT(29)) &&
           has_all(f.leaf7_ebx, BIT(3) | BIT(5) | BIT(8)) && has_all(f.extended_ecx, BIT(5)) &&
           has_all(saved_registers(), 0x06);
}

/* The bits are AVX-512 F, DQ, CD, BW, VL; opmask and zmm registers are saved, too.  macOS begins to save them
 * at their first use, so there the answer is no. */
static int has_v4(struct features f) {
    return has_all(f.leaf7_ebx, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) &&
           has_all(saved_registers(), 0xe6);
}

int tw_cpu_x86_level(void) {
    const struct features f = read_features();
    if (!has_v2(f))
        return 1;
    if (!has_v3(f))
        return 2;
    return has_v4(f) ? 4 : 3;
}

#else

int tw_cpu_x86_level(void) { return 0; }

#endif
