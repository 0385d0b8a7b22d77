# coffer_layer(NAME [LINK libs...]): an object library of src/NAME/*.cpp. The list of layers, lowest first;
# tests/layers_test.py checks the #include lines against the edges of ARCHITECTURE.md.
function(coffer_layer name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(coffer_${name} OBJECT ${sources})
  target_link_libraries(coffer_${name} PUBLIC coffer_flags ${arg_LINK})
  set_property(GLOBAL APPEND PROPERTY COFFER_LAYERS coffer_${name})
endfunction()
