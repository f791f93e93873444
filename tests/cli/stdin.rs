//! `meshc check -`: what an editor holds and has not saved.
//!
//! Never expects that the file is there.

use super::run::Repo;

const MESH: &str = "type: Mesh\nname: default\n";

/// A route to a service that is in another file.
const ROUTE: &str = "\
type: MeshHTTPRoute
mesh: default
name: route
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules:
        - matches: [{path: {type: PathPrefix, value: /}}]
          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api}, weight: 1}]}
";

const SERVICE: &str = "\
type: MeshService
mesh: default
name: api
spec:
  ports: [{port: 80, appProtocol: http}]
  selector: {dataplaneLabels: {matchLabels: {app: api}}}
";

fn codes(stdout: &str) -> Vec<(String, String)> {
    let list: serde_json::Value = serde_json::from_str(stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let list = list.as_array().expect("a list").iter();
    list.filter(|one| one["severity"] == "error")
        .map(|one| (text(&one["file"]), text(&one["code"])))
        .collect()
}

#[test]
fn a_text_stands_for_its_file_and_the_rest_is_read() {
    let repo = Repo::with("mesh.yaml", MESH);
    repo.write("teams/api.yaml", SERVICE);
    repo.write("route.yaml", "type: [");
    let check = ["check", "-", "--format", "json", "--stdin-path"];
    let run = |path: &str, text: &str| repo.meshc_reading(&[&check[..], &[path]].concat(), text);
    // The file is broken on disk, and good in the editor.
    assert_eq!(codes(&run("route.yaml", ROUTE).exits(0).stdout), []);
    // What is written here breaks what stands there.
    repo.write("route.yaml", ROUTE);
    let broken = run(
        "teams/api.yaml",
        &SERVICE.replace("name: api", "name: apis"),
    );
    let dangling = ("route.yaml".to_owned(), "dangling-ref".to_owned());
    assert!(
        codes(&broken.exits(1).stdout).contains(&dangling),
        "{broken:?}"
    );
    // A file that is not there yet, in a directory that is not there yet.
    let new = run("new/mesh.yaml", MESH);
    let twice = ("new/mesh.yaml".to_owned(), "duplicate-resource".to_owned());
    let both = codes(&new.exits(1).stdout);
    assert!(both.iter().any(|one| one.1 == twice.1), "{both:?}");
}

#[test]
fn the_documents_may_be_in_a_directory() {
    let repo = Repo::with("mesh/mesh.yaml", MESH);
    repo.write("mesh/api.yaml", SERVICE);
    let path = repo.path("mesh/api.yaml").display().to_string();
    let arguments = ["check", "mesh", "-", "--stdin-path", &path];
    repo.meshc_reading(&arguments, "type: Mehs\n")
        .exits(1)
        .says("--> api.yaml:1:7");
    let outside = ["check", "mesh", "-", "--stdin-path", "other.yaml"];
    repo.meshc_reading(&outside, MESH)
        .exits(2)
        .complains("cannot read other.yaml: it is not in mesh");
}

#[test]
fn a_text_alone_is_judged_on_its_own() {
    let repo = Repo::new();
    repo.meshc_reading(&["check", "-"], ROUTE).exits(0);
    let bad = repo.meshc_reading(&["check", "-"], "type: Mesh\nname: Default\n");
    bad.exits(1).says("--> stdin.yaml:2:7");
    let diff = repo.meshc_reading(
        &["check", "-", "--diff"],
        "type: Mesh\nname: a\nstatus: {}\n",
    );
    diff.exits(1).says("-status: {}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let repo = Repo::with("a.yaml", MESH);
    let refused = |arguments: &[&str], why: &str| {
        repo.meshc_reading(arguments, MESH).exits(2).complains(why);
    };
    refused(&["check", "--stdin-path", "a.yaml"], "give `-` too");
    refused(&["check", "-", "-"], "`-` can be read once");
    refused(&["check", "a.yaml", "-"], "`-` is judged alone");
    refused(&["check", "-", "--fix"], "cannot be written");
    refused(&["check", "-", "--watch"], "cannot be watched");
    refused(
        &["check", "-", "--stdin-path", "README.md"],
        "a document is in a file that ends in",
    );
}
