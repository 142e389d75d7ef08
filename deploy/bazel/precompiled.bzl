"""Precompiled headers: parsing those of Debian's libraries is most of a compilation at -O0, and a third of one at -O2."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _precompile(ctx, flags, source, output, inputs = []):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + flags + ["-x", "c++-header"],
        source_file = source,
        output_file = output.path,
        # As Bazel compiles what goes into programs.
        use_pic = ctx.var["COMPILATION_MODE"] != "opt",
    )
    ctx.actions.run(
        executable = cc_common.get_tool_for_action(feature_configuration = features, action_name = CPP_COMPILE_ACTION_NAME),
        arguments = cc_common.get_memory_inefficient_command_line(
            feature_configuration = features,
            action_name = CPP_COMPILE_ACTION_NAME,
            variables = variables,
        ),
        env = cc_common.get_environment_variables(
            feature_configuration = features,
            action_name = CPP_COMPILE_ACTION_NAME,
            variables = variables,
        ),
        inputs = depset(inputs + [ctx.file._installed_packages], transitive = [toolchain.all_files]),
        outputs = [output],
        mnemonic = "CppPrecompile",
        progress_message = "Precompiling headers of Debian's libraries",
    )

def _provide(files):
    return [
        DefaultInfo(files = depset(files)),
        CcInfo(compilation_context = cc_common.create_compilation_context(headers = depset(files))),
    ]

def _clang_precompiled_headers_impl(ctx):
    # Without times the same bytes come from every checkout, and all of them share what is compiled with them.
    flags = ["-fpch-instantiate-templates", "-Xclang", "-fno-pch-timestamp"]
    for header in ctx.attr.headers[:-1]:
        flags += ["-include", header]

    # The last one is the file to compile: one of this repository would be sought where it lay in the sandbox.
    output = ctx.actions.declare_file(ctx.label.name + ".pch")
    _precompile(ctx, flags, "/usr/include/" + ctx.attr.headers[-1], output)
    return _provide([output])

def _gcc_precompiled_headers_impl(ctx):
    # g++ takes the one beside the header if it was made with the same flags, and else the header.
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    ctx.actions.write(header, "".join(["#include <%s>\n" % name for name in ctx.attr.headers]))
    output = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    _precompile(ctx, [], header.path, output, inputs = [header])
    return _provide([header, output])

def _precompiled_headers_rule(implementation, headers_doc):
    return rule(
        implementation = implementation,
        attrs = {
            "headers": attr.string_list(mandatory = True, doc = headers_doc),
            "_installed_packages": attr.label(default = "@debian//:installed_packages", allow_single_file = True),
            "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
        },
        fragments = ["cpp"],
        toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    )

clang_precompiled_headers = _precompiled_headers_rule(
    _clang_precompiled_headers_impl,
    "As one includes them; the last is below /usr/include.",
)
gcc_precompiled_headers = _precompiled_headers_rule(_gcc_precompiled_headers_impl, "As one includes them.")
