/* The groups of enums.def as C enums: enum rs_via { RS_VIA_RESET, ... } and so on.
 *
 * enums.def lists all groups in one file. RS_ENUM hands each row to the pick macro of its
 * group; all picks are empty but the one of the enum being made, so each enum holds its own
 * rows only and counts from 0. A new group of enums.def needs its name in RS_ENUM_GROUPS
 * (event.h) and one empty pick and one enum here.
 */
#ifndef RS_BASE_ENUMS_H
#define RS_BASE_ENUMS_H

#define RS_PICK_via(id)
#define RS_PICK_outcome(id)
#define RS_PICK_stream(id)
#define RS_PICK_dir(id)
#define RS_PICK_fd(id)
#define RS_PICK_call(id)
#define RS_PICK_block(id)
#define RS_PICK_bool(id)
#define RS_PICK_source(id)
#define RS_PICK_limit(id)
#define RS_PICK_technique(id)
#define RS_PICK_lcall(id)
#define RS_PICK_namespace(id)
#define RS_PICK_layer(id)
#define RS_PICK_netstep(id)

#undef RS_PICK_via
#define RS_PICK_via(id) id,
enum rs_via {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_via
#define RS_PICK_via(id)

#undef RS_PICK_outcome
#define RS_PICK_outcome(id) id,
enum rs_outcome {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_outcome
#define RS_PICK_outcome(id)

#undef RS_PICK_stream
#define RS_PICK_stream(id) id,
enum rs_stream {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_stream
#define RS_PICK_stream(id)

#undef RS_PICK_dir
#define RS_PICK_dir(id) id,
enum rs_dir {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_dir
#define RS_PICK_dir(id)

#undef RS_PICK_fd
#define RS_PICK_fd(id) id,
enum rs_fd {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_fd
#define RS_PICK_fd(id)

#undef RS_PICK_call
#define RS_PICK_call(id) id,
enum rs_call {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_call
#define RS_PICK_call(id)

#undef RS_PICK_block
#define RS_PICK_block(id) id,
enum rs_block {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_block
#define RS_PICK_block(id)

#undef RS_PICK_bool
#define RS_PICK_bool(id) id,
enum rs_bool {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_bool
#define RS_PICK_bool(id)

#undef RS_PICK_source
#define RS_PICK_source(id) id,
enum rs_source {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_source
#define RS_PICK_source(id)

#undef RS_PICK_limit
#define RS_PICK_limit(id) id,
enum rs_limit {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_limit
#define RS_PICK_limit(id)

#undef RS_PICK_technique
#define RS_PICK_technique(id) id,
enum rs_technique {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_technique
#define RS_PICK_technique(id)

#undef RS_PICK_lcall
#define RS_PICK_lcall(id) id,
enum rs_lcall {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_lcall
#define RS_PICK_lcall(id)

#undef RS_PICK_namespace
#define RS_PICK_namespace(id) id,
enum rs_namespace {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_namespace
#define RS_PICK_namespace(id)

#undef RS_PICK_layer
#define RS_PICK_layer(id) id,
enum rs_layer {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_layer
#define RS_PICK_layer(id)

#undef RS_PICK_netstep
#define RS_PICK_netstep(id) id,
enum rs_netstep {
#define RS_ENUM(group, id, name) RS_PICK_##group(RS_##id)
#include "engine/base/enums.def"
};
#undef RS_PICK_netstep
#define RS_PICK_netstep(id)

#undef RS_PICK_via
#undef RS_PICK_outcome
#undef RS_PICK_stream
#undef RS_PICK_dir
#undef RS_PICK_fd
#undef RS_PICK_call
#undef RS_PICK_block
#undef RS_PICK_bool
#undef RS_PICK_source
#undef RS_PICK_limit
#undef RS_PICK_technique
#undef RS_PICK_lcall
#undef RS_PICK_namespace
#undef RS_PICK_layer
#undef RS_PICK_netstep

#endif
