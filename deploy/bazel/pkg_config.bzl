"""Repository of Debian's C++ libraries: one cc_library for each entry, its flags asked from pkg-config."""

def _words(ctx, option, packages):
    result = ctx.execute(["pkg-config", option] + packages)
    if result.return_code != 0:
        fail("pkg-config %s %s: %s (tests/run and deploy/quickstart install what is missing)" %
             (option, " ".join(packages), result.stderr))
    return [word for word in result.stdout.strip().split(" ") if word]

def _link_flags(words):
    # Debian's libraries are shared, so order matters little and each -l is needed once. The -Wl,--push-state words come in
    # groups around -latomic; dropping duplicates inside a group breaks the link, so they go altogether.
    flags = []
    for word in words:
        if word.startswith("-Wl,--"):
            continue
        if word not in flags:
            flags.append(word)
    return flags

def _pkg_config_repository_impl(ctx):
    lines = ['package(default_visibility = ["//visibility:public"])']
    for name, packages in ctx.attr.libraries.items():
        linkopts = _link_flags(_words(ctx, "--libs", packages))
        deps = "[]"
        if name in ctx.attr.under_tsan:
            deps = 'select({"@weir//deploy/bazel:tsan": [%s], "//conditions:default": []})' % repr(ctx.attr.under_tsan[name])
        defines = []
        if name in ctx.attr.with_defines:
            defines = [word[len("-D"):] for word in _words(ctx, "--cflags", packages) if word.startswith("-D")]
        lines.append("cc_library(name = %s, linkopts = %s, defines = %s, deps = %s)" %
                     (repr(name), repr(linkopts), repr(defines), deps))
    lines.append('exports_files(["installed_packages"])')
    ctx.file("BUILD.bazel", "\n".join(lines) + "\n")

    # For what is made of their headers, which Bazel does not look at. As of the start of the Bazel server.
    ctx.file("installed_packages", ctx.execute(["dpkg-query", "-W"]).stdout)

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    attrs = {
        "libraries": attr.string_list_dict(mandatory = True, doc = "Name here -> names that pkg-config knows."),
        "with_defines": attr.string_list(doc = "Names here whose users need the macros that pkg-config gives."),
        "under_tsan": attr.string_dict(doc = "Name here -> what its users link, too, under the thread sanitizer."),
    },
    local = True,
)
