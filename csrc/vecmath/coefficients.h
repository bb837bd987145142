/* coefficients.h - constants and polynomial coefficients of vecmath.h.
 *
 * Each table belongs to one expression, named above it.  Unless said otherwise its polynomial is
 * the best one in the largest error relative to the function that is computed from it (Remez'
 * exchange in long arithmetic); coefficients were rounded from the lowest up and the others fitted
 * anew after each rounding.  Constants that end in _HI, _LO add up to their value; _HI is short
 * enough for an exact product with a binary exponent where the text says so.
 */
#ifndef TW_VECMATH_COEF_H
#define TW_VECMATH_COEF_H

#include "base/simd.h"

#ifdef TW_F32
#define LOG2_E 0x1.715476p0f
#define LN2_HI 0x1.62e4p-1f
#define LN2_LO 0x1.7f7d1cp-20f
#define INV_PI 0x1.45f306p-2f
#define PI_HI 0x1.921fb6p1f
#define PI_LO -0x1.777a5cp-24f
#define TAN_PI_8 0x1.a8279ap-2f
#define THIRD 0x1.555556p-2f
#define TWO_THIRDS_HI 0x1.555556p-1f
#define TWO_THIRDS_LO -0x1.555556p-26f
#define CBRT_2 0x1.428a3p0f
#define CBRT_HALF 0x1.965feap-1f
#define TWO_OVER_SQRT_PI_HI 0x1.20dd76p0f
#define TWO_OVER_SQRT_PI_LO -0x1.f7ac92p-25f
#define INV_SQRT_PI 0x1.20dd76p-1f
#define SQRT_HALF_BITS 0x3f3504f3
#define EXP_FAST 87
#define EXP_K_MAX 160
#define EXPM1_FLOOR -18
#define TANH_TOP 10
#define TRIG_FAST 8192
#define ERF_TOP 3.93f
#define ERFC_TOP 11
#define ERFCX_K 2.109375f
#define EXP1_L 2.25f
#define WOFZ_L 3.75f
#define WOFZ_FAR 0x1p56f
#define HYPER_FAR 0x1p30f
/* pi in parts whose products with k are exact */
static const real PI_PART[] = {
    0x1.92p1f, 0x1.fb4p-11f, 0x1.444p-23f, 0x1.68cp-38f, 0x1.1a6264p-53f,
};
/* (e^r - 1 - r) / r^2 in r, |r| <= ln 2 / 2 */
static const real EXP_C[] = {
    0x1p-1f, 0x1.5554bp-3f, 0x1.5554dap-5f, 0x1.1227bp-7f, 0x1.6d5f6ep-10f,
};
/* (sinh r - r) / r^3 in r^2, |r| <= 1/5 + ln 2 / 2 */
static const real SINH_C[] = {
    0x1.555558p-3f,
    0x1.110e16p-7f,
    0x1.a3e294p-13f,
};
/* (cosh r - 1) / r^2 in r^2, same r */
static const real COSH_C[] = {
    0x1.000004p-1f,
    0x1.55502ep-5f,
    0x1.6fd3bep-10f,
};
/* (2 atanh s - 2 s) / s^3 in s^2, s <= tanh(ln 2 / 4) */
static const real LOG_C[] = {
    0x1.55557ap-1f,
    0x1.995ec2p-2f,
    0x1.31e3f4p-2f,
};
/* the same for s <= tanh(0.293 ln 2) = 0.2005, to 5e-8 of 2 + (s + s^2) times it; by its values at the zeros
 * of Chebyshev's polynomial */
static const real DEVIANCE_C[] = {
    0x1.555566p-1f,
    0x1.996208p-2f,
    0x1.32d1aep-2f,
};
/* (2 atanh s - 2 s - 2 s^3 / 3) / s^5 in s^2, same s */
static const real POWLOG_C[] = {
    0x1.9999fap-2f,
    0x1.245478p-2f,
    0x1.df5118p-3f,
};
/* (sin r - r) / r^3 in r^2, |r| <= pi / 2 */
static const real SIN_C[] = {
    -0x1.55554cp-3f,
    0x1.110ed4p-7f,
    -0x1.9f6edp-13f,
    0x1.5d9decp-19f,
};
/* the same for |r| <= pi / 4 */
static const real SINQ_C[] = {
    -0x1.555546p-3f,
    0x1.11077cp-7f,
    -0x1.9955b2p-13f,
};
/* (cos r - 1) / r^2 in r^2, |r| <= pi / 4 */
static const real COSQ_C[] = {
    -0x1p-1f,
    0x1.55554ap-5f,
    -0x1.6c0c1ap-10f,
    0x1.99e106p-16f,
};
/* (atan t - t) / t^3 in t^2, t <= tan(pi / 8) */
static const real ATAN_C[] = {
    -0x1.55554ap-2f, 0x1.9991dep-3f, -0x1.23b912p-3f, 0x1.b2187ap-4f, -0x1.f2997p-5f,
};
/* (asin s - s) / s^3 in s^2, s <= 1/2 */
static const real ASIN_C[] = {
    0x1.5555cap-3f, 0x1.33016ap-4f, 0x1.748a2cp-5f, 0x1.8bb566p-6f, 0x1.59cc2cp-5f,
};
/* m^(-1/3) in m - 1, sqrt(1/2) <= m <= sqrt(2) */
static const real CBRT_C[] = {
    0x1.00273p0f,
    -0x1.6495acp-2f,
    0x1.af5df6p-3f,
};
/* (-log(erfc x) / x - 2 / sqrt(pi)) / x in x, 0 <= x <= ERF_TOP */
static const real ERF_C[] = {
    0x1.45f2fep-1f,  0x1.a4f95ep-4f,   -0x1.39c0c4p-6f, -0x1.5b3d78p-13f,
    0x1.b641f4p-10f, -0x1.4d1782p-11f, 0x1.f0459p-14f,  -0x1.39279ep-17f,
};
/* (x + K) erfcx(x) in (x - K) / (x + K), x >= 0 */
static const real ERFCX_C[] = {
    0x1.07bb26p0f,   -0x1.6f336ep-1f,  0x1.4893bep-2f,   -0x1.051c4p-4f,  -0x1.fffe12p-7f, 0x1.3a740ep-7f,
    0x1.a8c366p-10f, -0x1.7b562ap-10f, -0x1.6b7152p-12f, 0x1.cbf4bap-13f, 0x1.e52a8ap-15f, -0x1.9a148cp-16f,
};
/* E1(x) + ln x in x - 1, 0 <= x <= 1; this and the next by least squares on Chebyshev points */
static const real EXP1_NEAR_C[] = {0x1.c14c5ep-3f,  0x1.43a554p-1f,  -0x1.0e94b8p-3f, 0x1.b68a6ep-6f,
                                   -0x1.382f44p-8f, 0x1.69e676p-11f, -0x1.238adap-13f};
/* (x - 1 + L) e^x E1(x) in (x - 1 - L) / (x - 1 + L), x >= 1 */
static const real EXP1_FAR_C[] = {0x1.1abd6cp0f,   -0x1.400f02p-3f,  0x1.eb22bep-5f,  -0x1.b08cf8p-7f,
                                  0x1.766e3p-8f,   -0x1.4ebac4p-10f, 0x1.5f08eap-11f, -0x1.1d097cp-13f,
                                  0x1.354152p-14f, 0x1.1790e2p-20f,  0x1.d93714p-16f};
/* Weideman's a_1 ... a_N for his L */
static const real WOFZ_C[] = {
    0x1.fa9fbep0f,    0x1.9dc496p0f,   0x1.251926p0f,   0x1.6381a8p-1f,   0x1.6895d8p-2f,
    0x1.243f2ep-3f,   0x1.53f112p-5f,  0x1.6948d2p-8f,  -0x1.db872cp-10f, -0x1.31d09cp-10f,
    -0x1.2759f4p-13f, 0x1.a81286p-14f, 0x1.4a9cd8p-15f, -0x1.940e92p-18f, -0x1.a7c6cp-18f,
    0x1.afd18p-24f,   0x1.fe402ep-21f, 0x1.8bd5dcp-25f, -0x1.42a2dp-23f,  -0x1.4f8c04p-27f,
};
#else
#define LOG2_E 0x1.71547652b82fep0
#define LN2_HI 0x1.62e42fefa38p-1
#define LN2_LO 0x1.ef35793c7673p-45
#define INV_PI 0x1.45f306dc9c883p-2
#define PI_HI 0x1.921fb54442d18p1
#define PI_LO 0x1.1a62633145c07p-53
#define TAN_PI_8 0x1.a827999fcef32p-2
#define THIRD 0x1.5555555555555p-2
#define TWO_THIRDS_HI 0x1.5555555555555p-1
#define TWO_THIRDS_LO 0x1.5555555555555p-55
#define CBRT_2 0x1.428a2f98d728bp0
#define CBRT_HALF 0x1.965fea53d6e3dp-1
#define TWO_OVER_SQRT_PI_HI 0x1.20dd750429b6dp0
#define TWO_OVER_SQRT_PI_LO 0x1.1ae3a914fed8p-56
#define INV_SQRT_PI 0x1.20dd750429b6dp-1
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define EXP_FAST 708
#define EXP_K_MAX 1100
#define EXPM1_FLOOR -40
#define TANH_TOP 20
#define TRIG_FAST 131072
#define ERF_TOP 5.93
#define ERFC_TOP 28
#define ERFCX_K 3.078125
#define EXP1_L 3
#define WOFZ_L 5.25
#define WOFZ_FAR 0x1p500
#define HYPER_FAR 0x1p60
/* pi in parts whose products with k are exact */
static const real PI_PART[] = {
    0x1.921fb544p1,
    0x1.0b4611a6p-33,
    0x1.3198a2e037073p-68,
};
/* (e^r - 1 - r) / r^2 in r, |r| <= ln 2 / 2 */
static const real EXP_C[] = {
    0x1.0000000000005p-1,  0x1.555555555555cp-3,  0x1.55555555520cbp-5,  0x1.111111110e7c3p-7,
    0x1.6c16c17f471c5p-10, 0x1.a01a01b5aa34ep-13, 0x1.a019a64ccb76ap-16, 0x1.71ddea2b52a3dp-19,
    0x1.28a2eb7fba00ap-22, 0x1.af76bdec003ccp-26,
};
/* (sinh r - r) / r^3 in r^2, |r| <= 1/5 + ln 2 / 2 */
static const real SINH_C[] = {
    0x1.5555555555555p-3,  0x1.1111111111246p-7,  0x1.a01a019fbcf47p-13,
    0x1.71de3b235f5dbp-19, 0x1.ae628a5d79807p-26, 0x1.631ccffb0bc11p-33,
};
/* (cosh r - 1) / r^2 in r^2, same r */
static const real COSH_C[] = {
    0x1.fffffffffffffp-2,  0x1.5555555555793p-5,  0x1.6c16c16bb11eep-10,
    0x1.a01a02a3b74b5p-16, 0x1.27e3af8ea9762p-22, 0x1.208c85992e33p-29,
};
/* (2 atanh s - 2 s) / s^3 in s^2, s <= tanh(ln 2 / 4) */
static const real LOG_C[] = {
    0x1.5555555555593p-1, 0x1.999999997f996p-2, 0x1.2492494233252p-2, 0x1.c71c51ce86625p-3,
    0x1.74664bef82a78p-3, 0x1.39a053d0c44e6p-3, 0x1.2f145b0ff9c89p-3,
};
/* the same for s <= tanh(0.293 ln 2) = 0.2005, to 3e-16 of 2 + (s + s^2) times it; by its values at the zeros
 * of Chebyshev's polynomial */
static const real DEVIANCE_C[] = {
    0x1.555555555556ep-1, 0x1.999999997bed4p-2, 0x1.249249529e35fp-2, 0x1.c71c3c49760aep-3,
    0x1.746bd7fefd0e0p-3, 0x1.38ffd636e2f77p-3, 0x1.35b9af5d3cfa1p-3,
};
/* (2 atanh s - 2 s - 2 s^3 / 3) / s^5 in s^2, same s */
static const real POWLOG_C[] = {
    0x1.99999999999e1p-2, 0x1.249249247b44cp-2, 0x1.c71c7200382e4p-3, 0x1.745cf822a48ddp-3,
    0x1.3b1c8a22152ccp-3, 0x1.0fb3c74ce4672p-3, 0x1.0c7e5e6362471p-3,
};
/* (sin r - r) / r^3 in r^2, |r| <= pi / 2 */
static const real SIN_C[] = {
    -0x1.5555555555555p-3,  0x1.11111111110cbp-7,  -0x1.a01a01a015163p-13, 0x1.71de3a52c032p-19,
    -0x1.ae6454e3faa84p-26, 0x1.6123d114f77d5p-33, -0x1.ae4497b0d095dp-41, 0x1.884fddba6edcbp-49,
};
/* the same for |r| <= pi / 4 */
static const real SINQ_C[] = {
    -0x1.5555555555549p-3, 0x1.111111110f89cp-7,   -0x1.a01a019c141c7p-13,
    0x1.71de3578f159fp-19, -0x1.ae5e66a9e97fep-26, 0x1.5d930382d0928p-33,
};
/* (cos r - 1) / r^2 in r^2, |r| <= pi / 4 */
static const real COSQ_C[] = {
    -0x1p-1,
    0x1.555555555554cp-5,
    -0x1.6c16c16c15217p-10,
    0x1.a01a019cbe0cap-16,
    -0x1.27e4f81170594p-22,
    0x1.1ee9f049417b9p-29,
    -0x1.8fb094895d9cdp-37,
};
/* (atan t - t) / t^3 in t^2, t <= tan(pi / 8) */
static const real ATAN_C[] = {
    -0x1.555555555553cp-2, 0x1.9999999995631p-3, -0x1.249249229f4fdp-3, 0x1.c71c70e07977p-4,
    -0x1.745cf8385ab9fp-4, 0x1.3b110d7425153p-4, -0x1.10eb30ccb5de4p-4, 0x1.df076c76be873p-5,
    -0x1.9cae85fa5d22cp-5, 0x1.3777bf7ec296ep-5, -0x1.2498a7120d78dp-6,
};
/* (asin s - s) / s^3 in s^2, s <= 1/2 */
static const real ASIN_C[] = {
    0x1.5555555555387p-3, 0x1.333333336f899p-4, 0x1.6db6db41d38dp-5,   0x1.f1c72c6d25a5ep-6,
    0x1.6e89ef87ff498p-6, 0x1.1c6c261791a1ep-6, 0x1.c6f8b141d1ff3p-7,  0x1.8ee2d06bb6d76p-7,
    0x1.aac8012ae9717p-8, 0x1.40a10f5096774p-6, -0x1.0ad632242c7fcp-6, 0x1.05c28772d23c3p-5,
};
/* m^(-1/3) in m - 1, sqrt(1/2) <= m <= sqrt(2) */
static const real CBRT_C[] = {
    0x1.fffcee1112708p-1,  -0x1.54e435d5acad7p-2, 0x1.cb7ea82cbbf32p-3,
    -0x1.82e105e57df27p-3, 0x1.06e4ccd536ec6p-3,
};
/* (-log(erfc x) / x - 2 / sqrt(pi)) / x in x, 0 <= x <= ERF_TOP */
static const real ERF_C[] = {
    0x1.45f306dc9c89p-1,    0x1.a4f4e2a1b293bp-4,  -0x1.39668593ffd86p-6,  -0x1.b6b68b1e171dcp-13,
    0x1.bca67b246d1d2p-10,  -0x1.3565497c5f4cp-11, 0x1.b22943a074dfp-16,   0x1.0e811fd4d19cfp-14,
    -0x1.f2bb11fe7600dp-16, 0x1.c9d321bd9a382p-19, 0x1.7bf1a6d8bdb2ap-19,  -0x1.d26e5ea3307afp-20,
    0x1.660e412dbd5e5p-22,  0x1.2a46d1516fd8p-23,  -0x1.323011f98a996p-23, 0x1.1bac82716ec8ep-24,
    -0x1.69ccf814c5224p-26, 0x1.5911b6521658dp-28, -0x1.f5cb9c3863d92p-31, 0x1.13fcce4380519p-33,
    -0x1.be3a170926811p-37, 0x1.f4f958e2531abp-41, -0x1.5d0ece07fe62ap-45, 0x1.c6b2c143abc78p-51,
};
/* (x + K) erfcx(x) in (x - K) / (x + K), x >= 0 */
static const real ERFCX_C[] = {
    0x1.138f8bdbd5691p0,    -0x1.c954f3d9bf4d8p-1,  0x1.37801f7f8831ep-1,  -0x1.5317c3b751b86p-2,
    0x1.15d81edb92ec6p-3,   -0x1.22257e8ad8f4dp-5,  0x1.7da93bb197245p-10, 0x1.884a9545a0359p-9,
    -0x1.d6245fb9b0bebp-11, -0x1.793a2e5237ec3p-13, 0x1.29a822422db84p-13, 0x1.48ec56772b85fp-17,
    -0x1.66c35b9c6e8afp-16, -0x1.eb7def22a16aep-21, 0x1.cfe90495282c3p-19, 0x1.36796b82ea271p-22,
    -0x1.3ca4e79c6dc05p-21, -0x1.cb412a8e7d80ep-24, 0x1.ab57c1bfb9e36p-24, 0x1.0d8da9b393529p-25,
    -0x1.0643f7d116e3cp-26, -0x1.bb33b829070acp-28, 0x1.07009e00dd84bp-29, 0x1.7896419e7101cp-31,
    -0x1.4a6a0c6e52aa8p-33,
};
/* E1(x) + ln x in x - 1, 0 <= x <= 1; this and the next by least squares on Chebyshev points */
static const real EXP1_NEAR_C[] = {0x1.c14c5d3bf8f94p-3,   0x1.43a54e4e98878p-1,   -0x1.0e95393a61399p-3,
                                   0x1.b68d7d85bdf75p-6,   -0x1.371a1a1dc409bp-8,  0x1.7fc347da82a7p-11,
                                   -0x1.9f5d0adbc63ddp-14, 0x1.8f0d780a2a683p-17,  -0x1.576a40008df7dp-20,
                                   0x1.10bf3c4e7284cp-23,  -0x1.50b5f70be77f9p-27, 0x1.84eb410036e6cp-30};
/* (x - 1 + L) e^x E1(x) in (x - 1 - L) / (x - 1 + L), x >= 1 */
static const real EXP1_FAR_C[] = {
    0x1.3cf2693bfb3d3p0,    -0x1.557c7d70854efp-2,  0x1.0ad5f21b63639p-3,  -0x1.99262ec0dbafbp-5,
    0x1.5b842375de7c2p-6,   -0x1.240695a0ce806p-7,  0x1.02cce4a922555p-8,  -0x1.c5fdb90b83828p-10,
    0x1.9cf1aa6df044ap-11,  -0x1.7334e4f93abefp-12, 0x1.57c5e9df68cccp-13, -0x1.39d2897738a3bp-14,
    0x1.26987b222558bp-15,  -0x1.0fd1f9428bcabp-16, 0x1.02c99add08a5cp-17, -0x1.db349fd9a7262p-19,
    0x1.bd315d3d81d38p-20,  -0x1.c39f59f7b3855p-21, 0x1.fc5e484f43eadp-22, -0x1.044d03f137b79p-23,
    -0x1.5247191e8ecc8p-27, -0x1.80a2feda57175p-24, 0x1.9319fdf4284fbp-24, 0x1.1dce86aa365e3p-26,
    -0x1.f22cb7e0838d2p-26, -0x1.3f323866742aep-27, 0x1.31e22a97b0145p-27};
/* Weideman's a_1 ... a_N for his L */
static const real WOFZ_C[] = {
    0x1.6e116c778a74dp1,    0x1.49670f9e77b3dp1,    0x1.13f969782e438p1,    0x1.add0d2a4e2744p0,
    0x1.36513e144b055p0,    0x1.9df0f003447ccp-1,   0x1.fb8ce4a0334bcp-2,   0x1.1c07b56abddf9p-2,
    0x1.1f48608f26dafp-3,   0x1.02adebdd4b418p-4,   0x1.94ba65243b8aap-6,   0x1.06f0c312e6e56p-7,
    0x1.fe18fe5c0ff12p-10,  0x1.cf9976f10386cp-13,  -0x1.3bdc71e38914fp-14, -0x1.a8d264be6ee7fp-15,
    -0x1.9038aa4e60a7ap-17, 0x1.c7d98a6d8e83p-21,   0x1.9a9f4b7d65f55p-20,  0x1.9c5fb3c8b7b46p-22,
    -0x1.034d8177ac6dp-24,  -0x1.05bdd72adf43ep-24, -0x1.151236696553ep-27, 0x1.840e233c7c6bep-28,
    0x1.32ce0fe8ca713p-29,  -0x1.465b4b1828ae1p-32, -0x1.826ee5eb9d4fap-32, -0x1.256cb9c5cd857p-36,
    0x1.9b1e124f382e7p-35,  0x1.2bf70836d6422p-37,  -0x1.9aa98338be92fp-38, -0x1.0623002850b5bp-39,
    0x1.97ac57a1d77f5p-41,  0x1.8023fe7c04d94p-42,  -0x1.a6275c7296f6fp-44, -0x1.09bb345f21713p-44,
};
#endif

#endif
