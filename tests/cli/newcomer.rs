//! Where somebody runs `meshc` for the first time: repositories of every sort, and none.
//!
//! Never judges what an answer means: that it is there, and that an error says what to do.

use std::process::{Command, Stdio};

use super::run::{Repo, finish, limited};

const CANARY: &str = include_str!("../../examples/shop/api/canary.yaml");

/// The shop, with a second commit that changes a weight.
fn shop() -> Repo {
    let repo = Repo::shop_without(&[]).committed();
    repo.write("canary.yaml", CANARY.replace("weight: 90", "weight: 80"));
    repo.git(&["commit", "--quiet", "--all", "--message", "Shift"]);
    repo
}

#[test]
fn a_directory_without_documents_does_not_look_like_a_good_one() {
    let repo = Repo::new();
    repo.meshc(&["check"])
        .exits(0)
        .says("there is no document here, so nothing was checked");
    repo.meshc(&["diff"])
        .exits(2)
        .complains("is in no git repository");
    repo.meshc(&["test"]).exits(2);
}

#[test]
fn a_repository_without_commits_says_so() {
    let repo = Repo::shop_without(&[]);
    repo.git(&["init", "--quiet", "--initial-branch=main"]);
    repo.meshc(&["check"]).exits(0);
    for arguments in [
        &["diff"][..],
        &["diff", "--against", "HEAD"],
        &["blame-edge", "web", "api"],
        &["check", "--since", "main"],
        &["graph", "--at", "HEAD"],
    ] {
        repo.meshc(arguments)
            .exits(2)
            .complains("the repository has no commits yet");
    }
    repo.meshc(&["diff"])
        .exits(2)
        .complains("help: commit first");
}

#[test]
fn a_bare_repository_is_compared_by_its_revisions() {
    let (origin, repo) = (shop(), Repo::new());
    let origin = origin.root().to_str().expect("a name in UTF-8").to_owned();
    repo.git(&["clone", "--quiet", "--bare", &origin, "."]);
    repo.meshc(&["diff"])
        .exits(2)
        .complains("has no work tree: say both sides, such as `main~1..main`");
    repo.meshc(&["diff", "main~1..main"])
        .exits(0)
        .says("split of /*");
    repo.meshc(&["blame-edge", "web", "api"]).exits(0);
    repo.meshc(&["graph", "--at", "main"]).exits(0).says("web");
    repo.meshc(&["check", "--at", "main"]).exits(0);
    let build = ["build", "--at", "main", "--output", "bundle.json"];
    repo.meshc(&build).exits(0);
}

#[test]
fn what_was_is_checked_and_built_as_it_was() {
    let repo = shop();
    let digest = |more: &[&str]| {
        let build = ["build", "--output", "bundle.json"];
        let ran = repo.meshc(&[&build, more].concat());
        ran.exits(0).stdout.clone()
    };
    let (now, before) = (digest(&[]), digest(&["--at", "HEAD~1"]));
    assert_ne!(now, before);
    // The bundle names the commit, unless somebody calls it otherwise.
    let bundle = std::fs::read_to_string(repo.path("bundle.json")).expect("the bundle");
    let commit = std::fs::read_to_string(repo.path(".git/refs/heads/main")).expect("a branch");
    assert!(!bundle.contains(commit.trim()), "HEAD~1 is another commit");
    assert_eq!(digest(&["--at", "HEAD"]), now);
    let bundle = std::fs::read_to_string(repo.path("bundle.json")).expect("the bundle");
    assert!(bundle.contains(commit.trim()), "{bundle}");
    // What is in the work tree makes no difference to what was.
    repo.write("bad.yaml", "type: Mehs\n");
    repo.meshc(&["check", "--at", "HEAD"]).exits(0);
    repo.meshc(&["check"]).exits(1);
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--message", "Break it"]);
    repo.meshc(&["check", "--at", "HEAD", "--format", "concise"])
        .exits(1)
        .says("bad.yaml:1:7");
    repo.meshc(&["build", "--at", "HEAD", "--output", "bundle.json"])
        .exits(1)
        .complains("nothing is written");
    for (more, why) in [
        (&["--fix"][..], "cannot be used with"),
        (&["--watch"], "cannot be used with"),
        (&["--since", "HEAD"], "cannot be used with"),
        (&["bad.yaml"], "give the directory that holds the documents"),
        (&["-"], "give the directory that holds the documents"),
    ] {
        let check = [&["check", "--at", "HEAD"], more].concat();
        repo.meshc(&check).exits(2).complains(why);
    }
}

#[test]
fn a_shallow_clone_says_how_to_get_the_rest() {
    let (origin, repo) = (shop(), Repo::new());
    let origin = format!("file://{}", origin.root().display());
    repo.git(&["clone", "--quiet", "--depth", "1", &origin, "."]);
    repo.meshc(&["diff", "HEAD~1..HEAD"])
        .exits(2)
        .complains("`git fetch --unshallow` gets the rest");
    repo.meshc(&["blame-edge", "web", "api"])
        .exits(0)
        .says("was so as far as this shallow clone goes, 1 commit back to ")
        .says("`git fetch --unshallow` gets the rest");
}

#[test]
fn a_detached_head_is_compared_with_the_main_branch_of_the_origin() {
    let (origin, repo) = (shop(), Repo::new());
    let path = origin.root().to_str().expect("a name in UTF-8");
    repo.git(&["clone", "--quiet", path, "."]);
    repo.git(&["checkout", "--quiet", "--detach"]);
    repo.git(&["branch", "--quiet", "--delete", "--force", "main"]);
    repo.write("canary.yaml", CANARY.replace("weight: 90", "weight: 70"));
    repo.meshc(&["diff"])
        .exits(0)
        .says("80 api-v1:http + 10 api-v2:http -> 70");
    repo.meshc(&["check", "--since", "main"])
        .exits(2)
        .complains("there is no revision `main`; there is `origin/main`");
    // What the second has done since both parted.
    repo.git(&["commit", "--quiet", "--all", "--message", "More"]);
    repo.meshc(&["diff", "origin/main...HEAD"])
        .exits(0)
        .says("-> 70");
}

#[test]
fn a_worktree_and_a_submodule_are_repositories_of_their_own() {
    let origin = shop();
    let path = origin.root().to_str().expect("a name in UTF-8").to_owned();
    let away = Repo::new();
    let tree = away.path("tree").display().to_string();
    origin.git(&["worktree", "add", "--quiet", "-b", "feature", &tree]);
    away.write(
        "tree/canary.yaml",
        CANARY.replace("weight: 90", "weight: 70"),
    );
    away.meshc(&["diff", "tree"]).exits(0).says("-> 70");
    let whole = Repo::new();
    whole.git(&["init", "--quiet", "--initial-branch=main"]);
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &path,
        "mesh",
    ];
    whole.git(&add);
    whole.write("mesh/bad.yaml", "type: Mehs\n");
    whole
        .meshc(&["check", "mesh", "--format", "github"])
        .exits(1)
        .says("file=bad.yaml,");
    whole
        .meshc(&["diff", "HEAD~1..HEAD", "mesh"])
        .exits(0)
        .says("-> 80");
}

#[test]
fn a_base_that_does_not_compile_is_told_with_a_way_out() {
    let repo = shop();
    let broken = CANARY
        .replace("weight: 90", "weight: 80")
        .replace("rules:", "rulez:");
    repo.write("canary.yaml", &broken);
    repo.git(&["commit", "--quiet", "--all", "--message", "Break it"]);
    repo.git(&["checkout", "--quiet", "-b", "mend"]);
    repo.write("canary.yaml", CANARY.replace("weight: 90", "weight: 60"));
    repo.write("meshc.toml", "[gates]\nmax-proxies = 1\n");
    for arguments in [
        &["diff"][..],
        &["diff", "--exit-code", "--format", "github"],
    ] {
        repo.meshc(arguments)
            .exits(2)
            .complains(" has 1 error, so it means nothing that could be compared")
            .complains("canary.yaml:11:7: error[unknown-field]")
            .complains(
                "(`Shift`) is the last revision before it that compiles: `meshc diff --against ",
            );
    }
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--all", "--message", "Mend it"]);
    repo.meshc(&["diff", "main..HEAD"])
        .exits(2)
        .complains("..HEAD` compares with that, and so does `--last-good`");
    // And the gates are asked of all that has changed since.
    repo.meshc(&["diff", "--last-good"])
        .exits(1)
        .says("broken gate [gate-proxies]")
        .says("80 api-v1:http + 10 api-v2:http -> 60");
    // What cannot be compared at all.
    repo.write("canary.yaml", &broken);
    repo.meshc(&["diff", "--last-good"])
        .exits(2)
        .complains("the work tree has 1 error, so");
}

/// Who reads only the beginning of an answer does not turn a bad one into a good one.
#[test]
fn a_reader_that_goes_away_hides_nothing() {
    let repo = shop();
    repo.write("bad.yaml", "type: Mehs\n");
    for (arguments, code) in [
        (&["check"][..], 1),
        (&["rules"], 0),
        (&["explain", "no"], 2),
    ] {
        let mut command = limited();
        command.args(arguments).current_dir(repo.root());
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped());
        let output = command.output().expect("meshc runs");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
    }
    let mut full = limited();
    full.arg("rules").current_dir(repo.root());
    let full = full.stdout(std::fs::File::create("/dev/full").expect("a full device"));
    let output = full.stderr(Stdio::piped()).output().expect("meshc runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot write to standard output: "), "{said}");
}

#[test]
fn files_of_other_systems_are_read_and_told_as_they_are() {
    let repo = Repo::with("mesh.yaml", "\u{feff}type: Mesh\r\nname: default\r\n");
    repo.write(
        "with space/wéb.yaml",
        "type: Dataplane\r\nname: web-1\r\nlabels: {app: web}\r\nnetworking:\r\n  address: 10.0.0.1\r\n  inbund: []\r\n",
    );
    repo.write(
        "ünï/tab.yaml",
        "type: MeshService\nname: api\nspec:\n\tselector: {}\n",
    );
    repo.git(&["init", "--quiet"]);
    repo.meshc(&["check"])
        .exits(1)
        .says("with space/wéb.yaml:6:3")
        .says("help: did you mean `inbound`?")
        .says("ünï/tab.yaml:4:2")
        .says("YAML is indented by spaces");
    repo.meshc(&["check", "--format", "github"])
        .says("::error file=with space/wéb.yaml,line=6,col=3,");
    repo.meshc(&["check", "--format", "sarif"])
        .says("with%20space/w%C3%A9b.yaml");
}

#[test]
fn nothing_of_the_environment_is_needed() {
    let repo = shop();
    for arguments in [
        &["check"][..],
        &["diff", "HEAD~1..HEAD"],
        &["graph"],
        &["lsp", "--help"],
    ] {
        let mut command = Command::new(mesh_tests::binary("meshc"));
        command.args(arguments).current_dir(repo.root()).env_clear();
        finish(command).exits(0);
    }
    // Colours are for people who look, unless somebody says otherwise.
    repo.write("bad.yaml", "type: Mehs\n");
    let is_coloured = |environment: &[(&str, &str)]| {
        let ran = repo.meshc_with(&["check"], environment);
        ran.exits(1).stdout.contains('\u{1b}')
    };
    assert!(!is_coloured(&[]));
    assert!(is_coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!is_coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(is_coloured(&[("FORCE_COLOR", "1")]));
    assert!(!is_coloured(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
    assert!(!is_coloured(&[("FORCE_COLOR", "0")]));
    assert!(!is_coloured(&[("FORCE_COLOR", "")]));
    assert!(!is_coloured(&[("TERM", "dumb")]));
}

#[test]
fn paths_and_arguments_are_taken_as_they_are_meant() {
    let repo = shop();
    repo.write("team/a.yaml", "type: Mehs\n");
    repo.meshc(&["check", "--", "team"]).exits(1);
    repo.meshc(&["check", "--", "--since"])
        .exits(2)
        .complains("cannot read --since: no such file");
    repo.meshc(&["check", "nowhere"])
        .exits(2)
        .complains("cannot read nowhere: no such file or directory");
    repo.meshc(&["chekc"]).exits(2).complains("'check'");
    repo.meshc(&["diff", "nowhere"])
        .exits(2)
        .complains("is no directory and no range such as `main..HEAD`");
    let mut above = limited();
    above.args(["check", ".."]).current_dir(repo.path("team"));
    finish(above).exits(1).says("team/a.yaml:1:7");
}
