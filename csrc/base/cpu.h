/* cpu.h - what this processor can run. */
#ifndef TW_CPU_H
#define TW_CPU_H

/* The highest x86-64 microarchitecture level, 1 to 4, that processor and operating system both
 * support; 0 on other processors.
 */
int tw_cpu_x86_level(void);

#endif
