//! `meshc explain`: the pages of the codes.
//!
//! Never needs a repository.

use mesh_compiler::diag::codes;

use super::run::Repo;

#[test]
fn every_code_has_a_page() {
    let repo = Repo::new();
    let all = repo.meshc(&["explain"]);
    for info in codes() {
        all.says(info.code.0).says(info.title);
    }
    repo.meshc(&["explain", "dangling-ref"])
        .exits(0)
        .says("## Instead");
}

#[test]
fn an_unknown_code_is_named_with_the_nearest() {
    let repo = Repo::new();
    let ran = repo.meshc(&["explain", "danglin-ref"]);
    ran.exits(2).complains("did you mean `dangling-ref`?");
}
