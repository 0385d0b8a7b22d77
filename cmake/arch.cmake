# One row per instruction set: name, C++ struct (include/coffer/kernels/simd.hpp), compiler flags, and the row it
# builds upon, if any: such a row adds only other ways to multiply bytes, has only kernels that do, and takes all
# others from the row before it. cpu.cpp lists what the CPU must have; order is from worst to best.
set(COFFER_ARCH_ROWS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(_v3 "-mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt -mpopcnt")
  set(_v4 "${_v3} -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl -mprefer-vector-width=512")
  list(APPEND COFFER_ARCH_ROWS
    "baseline|Baseline|-msse2|"
    "avx2|Avx2|${_v3}|"
    "avx512|Avx512|${_v4}|"
    "avx512vnni|Avx512Vnni|${_v4} -mavx512vnni|avx512"
    "amx|Amx|${_v4} -mavx512vnni -mamx-tile -mamx-int8 -mamx-bf16 -mavx512bf16|avx512vnni")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND COFFER_ARCH_ROWS
    "baseline|Baseline|-march=armv8-a|"
    "neon_dotprod|NeonDotprod|-march=armv8.2-a+dotprod|baseline")
endif()
