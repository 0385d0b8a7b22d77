# The op list: every header below include/coffer/ops but op.hpp and the families in ops/family. Writes
# ops_includes_<shard>.inc and ops_list_<shard>.inc (COFFER_OP(Relu), COFFER_OP(ml::Scaler), ...).
set(COFFER_OP_SHARDS 6)
set(COFFER_OPS "" CACHE STRING "Ops to build in, as domain-qualified names separated by ';'; empty for all")
file(GLOB _headers RELATIVE ${PROJECT_SOURCE_DIR}/include/coffer/ops CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/coffer/ops/[A-Z]*.hpp
  ${PROJECT_SOURCE_DIR}/include/coffer/ops/ml/[A-Z]*.hpp
  ${PROJECT_SOURCE_DIR}/include/coffer/ops/ms/[A-Z]*.hpp
  ${PROJECT_SOURCE_DIR}/include/coffer/ops/own/[A-Z]*.hpp)
list(SORT _headers)
set(COFFER_OPS_DIR ${PROJECT_BINARY_DIR}/generated/ops)
math(EXPR _last "${COFFER_OP_SHARDS} - 1")
foreach(shard RANGE ${_last})
  set(_includes_${shard} "")
  set(_list_${shard} "")
endforeach()
set(_i 0)
set(_all "")
foreach(header ${_headers})
  string(REGEX REPLACE "\\.hpp$" "" _name ${header})
  string(REPLACE "/" "::" _name ${_name})
  string(REGEX REPLACE "^ml::" "ai.onnx.ml::" _qualified ${_name})
  string(REGEX REPLACE "^ms::" "com.microsoft::" _qualified ${_qualified})
  string(REGEX REPLACE "^own::" "ai.coffer::" _qualified ${_qualified})
  string(REGEX REPLACE "^Shape$" "ShapeOp" _name ${_name})  # coffer::Shape is the type of a shape
  if(COFFER_OPS AND NOT _qualified IN_LIST COFFER_OPS)
    continue()
  endif()
  math(EXPR _shard "${_i} % ${COFFER_OP_SHARDS}")
  string(APPEND _includes_${_shard} "#include \"coffer/ops/${header}\"\n")
  string(APPEND _list_${_shard} "COFFER_OP(${_name})\n")
  list(APPEND _all ${_name})
  math(EXPR _i "${_i} + 1")
endforeach()
foreach(shard RANGE ${_last})
  file(CONFIGURE OUTPUT ${COFFER_OPS_DIR}/ops_includes_${shard}.inc CONTENT "${_includes_${shard}}" @ONLY)
  file(CONFIGURE OUTPUT ${COFFER_OPS_DIR}/ops_list_${shard}.inc CONTENT "${_list_${shard}}" @ONLY)
endforeach()
