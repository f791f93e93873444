//! Which files may know a foreign library: to change it, one looks there and nowhere else.
//!
//! Never looks at tests: a test of the proxy may well speak to it with an HTTP library.

use super::assert_tidy;
use super::tree::{File, files, has_word};

struct Known {
    library: &'static [&'static str],
    inside: &'static str,
    only: &'static [&'static str],
}

const KNOWN: [Known; 6] = [
    Known {
        library: &["git2"],
        inside: "",
        only: &["reconciler/src/git", "compiler/src/world/git"],
    },
    Known {
        library: &["rcgen"],
        inside: "",
        only: &["reconciler/src/ca", "proxy/src/identity"],
    },
    Known {
        library: &["hyper", "hyper_util", "h2"],
        inside: "proxy/",
        only: &[
            "proxy/src/http",
            "proxy/src/upstream",
            "proxy/src/workload_api/call",
        ],
    },
    Known {
        library: &["tonic", "prost", "tonic_prost"],
        inside: "",
        only: &[
            "delivery/src",
            "reconciler/src/etcd",
            "reconciler/src/gen/etcd",
        ],
    },
    Known {
        library: &["gen_lsp_types", "lsp_server"],
        inside: "",
        only: &["compiler/src/lsp"],
    },
    Known {
        library: &["granit_parser"],
        inside: "",
        only: &["compiler/src/source"],
    },
];

/// `prefix` itself with any extension, or anything in the directory of that name.
fn belongs(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with(['/', '.', '_']))
}

fn complaints(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        if !file.is_rust() || file.is_test() {
            continue;
        }
        for known in &KNOWN {
            let outside = !known.only.iter().any(|only| belongs(&file.path, only));
            if !file.path.starts_with(known.inside) || !outside {
                continue;
            }
            complaints.extend(mentions(file, known));
        }
    }
    complaints
}

fn mentions(file: &File, known: &Known) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in file.code() {
        for library in known.library {
            if has_word(line, library) && line.contains(&format!("{library}::")) {
                found.push(format!(
                    "{}:{number}: only {} may know {library}",
                    file.path,
                    known.only.join(", ")
                ));
            }
        }
    }
    found
}

#[test]
fn each_library_is_known_in_one_place() {
    assert_tidy(&complaints(&files(&["rs"])));
}

#[test]
fn a_library_out_of_its_place_is_found() {
    let complain = |path: &str, text: &str| complaints(&[File::new(path, text)]).len();
    assert_eq!(complain("reconciler/src/lib.rs", "use git2::Oid;\n"), 1);
    assert_eq!(
        complain("reconciler/src/git/tree.rs", "use git2::Oid;\n"),
        0
    );
    assert_eq!(complain("reconciler/src/gitops.rs", "use git2::Oid;\n"), 1);
    assert_eq!(
        complain("proxy/src/app.rs", "let a = hyper::Request::new(());\n"),
        1
    );
    assert_eq!(complain("proxy/src/app.rs", "// hyper::Request\n"), 0);
    assert_eq!(complain("delivery/src/wire.rs", "use hyper_util::rt;\n"), 0);
    assert_eq!(
        complain("proxy/src/app.rs", "#[cfg(test)]\nuse rcgen::Key;\n"),
        0
    );
}
