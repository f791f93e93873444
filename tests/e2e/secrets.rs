//! Keys and tokens are where they belong, readable by their owner, and nowhere else.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mesh_tests::Mesh;

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        }
    }
}

#[tokio::test]
async fn state_is_for_its_owner_alone() {
    let mesh = Mesh::from_example("shop").await;
    for name in ["meshd", "web-1", "api-1", "db-1"] {
        let state = mesh.directory().join(name);
        let mut paths = vec![state.clone()];
        walk(&state, &mut paths);
        assert!(paths.len() > 1, "{name} keeps no state");
        for path in paths {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
    }
}

#[tokio::test]
async fn nothing_secret_is_said_to_anybody() {
    let mesh = Mesh::from_example("shop").await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    let mut secrets = vec!["PRIVATE KEY".to_owned()];
    for proxy in mesh.proxies() {
        let token = mesh.directory().join(format!("{}.token", proxy.name()));
        let token = std::fs::read_to_string(token).unwrap();
        // Without its signature it lets nobody in.
        let (_, signature) = token.trim().rsplit_once('.').unwrap();
        assert!(signature.len() > 80, "{signature}");
        secrets.push(signature.to_owned());
    }
    let mut said = Vec::new();
    for path in ["/v1/status", "/metrics"] {
        said.push(mesh.meshd().ask("GET", path, "").await.text().to_owned());
    }
    said.extend(mesh.meshd().process().log().texts());
    for proxy in mesh.proxies() {
        said.push(proxy.config().await.to_string());
        said.push(proxy.metrics().await);
        said.extend(proxy.log().texts());
    }
    for secret in &secrets {
        let leak = said.iter().find(|text| text.contains(secret));
        assert!(leak.is_none(), "{leak:?}");
    }
    // A token that was spent is not kept either, only what tells it from others.
    let mut paths = Vec::new();
    walk(&mesh.directory().join("meshd"), &mut paths);
    for path in paths.iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets.iter().skip(1) {
            assert!(!text.contains(secret), "{} holds a token", path.display());
        }
    }
}
