"""cc_library of .proto files, by Debian's protoc and gRPC plugin."""

load(":cc.bzl", "cc_library")

# protoc's own files (google/protobuf/*.proto) and the plugin, as Debian installs them.
_SYSTEM_PROTOS = "/usr/include"
_GRPC_PLUGIN = "/usr/bin/grpc_cpp_plugin"

def weir_proto_library(name, srcs, deps = [], services = [], visibility = None):
    """Generates C++ of `srcs`, which import each other by their path below this package.

    Args:
      name: of the cc_library.
      srcs: the .proto files; those of `services` too.
      deps: other libraries of this kind whose files they import, of the same package.
      services: the files of `srcs` that define gRPC services.
      visibility: as usual.
    """
    outs = []
    for src in srcs:
        stem = src[:-len(".proto")]
        outs += [stem + ".pb.h", stem + ".pb.cc"]
        if src in services:
            outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
    root = native.package_name()
    commands = ["protoc -I %s -I %s --cpp_out=$(RULEDIR) %s" %
                (root, _SYSTEM_PROTOS, " ".join(["%s/%s" % (root, src) for src in srcs]))]
    if services:
        commands.append("protoc -I %s -I %s --plugin=protoc-gen-grpc=%s --grpc_out=$(RULEDIR) %s" %
                        (root, _SYSTEM_PROTOS, _GRPC_PLUGIN, " ".join(["%s/%s" % (root, src) for src in services])))
    native.genrule(
        name = name + "_generated",
        srcs = srcs + [dep + "_protos" for dep in deps],
        outs = outs,
        cmd = " && ".join(commands),
    )
    native.filegroup(name = name + "_protos", srcs = srcs)
    cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        copts = ["-Wno-all", "-Wno-extra", "-Wno-error"],
        includes = ["."],
        visibility = visibility,
        deps = deps + ["@debian//:protobuf"] + (["@debian//:grpc"] if services else []),
    )
