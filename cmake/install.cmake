# What an installed Coffer is: the library, its public headers, the kernel headers, a CMake package, a pkg-config
# file, the documents of its users, and with COFFER_DEVELOPER_MODE model-pack and its man page. All of it may be moved
# together.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# coffer::kernels: the SIMD templates alone, header-only, without an ABI promise. The user picks the arch struct
# and the compiler flags that go with it.
add_library(coffer_kernel_headers INTERFACE)
add_library(coffer::kernels ALIAS coffer_kernel_headers)
set_target_properties(coffer_kernel_headers PROPERTIES EXPORT_NAME kernels)
target_compile_features(coffer_kernel_headers INTERFACE cxx_std_20)
target_include_directories(coffer_kernel_headers INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS coffer coffer_kernel_headers EXPORT coffer-targets)
install(FILES include/coffer/coffer.h include/coffer/coffer.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coffer)
install(DIRECTORY include/coffer/kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coffer
  FILES_MATCHING PATTERN "*.hpp" PATTERN dispatch.hpp EXCLUDE)
install(FILES include/coffer/base/dtype.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coffer/base)

get_target_property(COFFER_TYPE coffer TYPE)
set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/coffer)
install(EXPORT coffer-targets NAMESPACE coffer:: DESTINATION ${_package})
configure_package_config_file(cmake/coffer-config.cmake.in ${PROJECT_BINARY_DIR}/coffer-config.cmake
  INSTALL_DESTINATION ${_package})
# Before 1.0 every minor version may change the C++ face.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coffer-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coffer-config.cmake ${PROJECT_BINARY_DIR}/coffer-config-version.cmake
  DESTINATION ${_package})

# pkg-config: ${pcfiledir} makes it relocatable, so the way up from it is needed.
file(RELATIVE_PATH COFFER_PC_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
if(COFFER_TYPE STREQUAL STATIC_LIBRARY)
  set(COFFER_PC_DEFINES " -DCOFFER_STATIC")
endif()
configure_file(cmake/coffer.pc.in ${PROJECT_BINARY_DIR}/coffer.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/coffer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# All that the README links to.
install(FILES LICENSE NOTICE README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md SECURITY.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.svg"
  PATTERN man EXCLUDE)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES tests/vectors/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/tests/vectors)
if(TARGET model-pack)
  install(TARGETS model-pack)
  file(GLOB _manual CONFIGURE_DEPENDS docs/*.1 docs/man/*.1)
  if(_manual)
    install(FILES ${_manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME coffer)
  set(CPACK_PACKAGE_CONTACT "The Coffer authors <security@coffer.invalid>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION libs)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  include(CPack)
endif()
