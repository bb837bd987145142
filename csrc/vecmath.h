/* vecmath.h - elementary functions of native vectors (simd.h). */
#ifndef TW_VECMATH_H
#define TW_VECMATH_H

#include "vecmath_exp.h"
#include "vecmath_power.h"
#include "vecmath_special.h"
#include "vecmath_trig.h"

#endif
