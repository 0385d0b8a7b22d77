# coffer_layer(NAME [SMALL] [LINK libs...]): an object library of src/NAME/*.cpp. The list of layers, lowest first;
# tests/layers_test.py checks the #include lines against the edges of ARCHITECTURE.md. SMALL: releases
# optimize it for size, but for the files named beside it.
function(coffer_layer name)
  cmake_parse_arguments(arg "SMALL" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(coffer_${name} OBJECT ${sources})
  target_link_libraries(coffer_${name} PUBLIC coffer_flags ${arg_LINK})
  if(NOT name STREQUAL offline)  # what only the tools call is left out of the shared library
    target_compile_options(coffer_${name} PRIVATE -ffunction-sections -fdata-sections)
  endif()
  if(arg_SMALL)
    target_compile_options(coffer_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
  endif()
  set_property(GLOBAL APPEND PROPERTY COFFER_LAYERS coffer_${name})
endfunction()
