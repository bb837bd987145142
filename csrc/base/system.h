/* system.h - what is asked of the operating system: locks, conditions, threads, a clock, processors.
 *
 * There is one body for POSIX and one for Windows, behind the same names.  A condition waits by a clock that
 * nobody sets, so that a change of the wall clock does not delay Ctrl-C.  On Windows nothing forks.
 */
#ifndef TW_SYSTEM_H
#define TW_SYSTEM_H

#include <stddef.h>

#ifdef _WIN32
#include "base/system_windows.h"
#else
#include "base/system_posix.h"
#endif

#endif
