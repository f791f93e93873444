//! What the editor at the other end can do, and what it is told that we can.
//!
//! Never trusts that a field is there or of the type that it should have: clients differ.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::position::Encoding;
use super::uri;

/// The editor.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    /// How it counts.
    pub(super) encoding: Encoding,
    /// What it has opened.
    pub(super) folders: Vec<PathBuf>,
    /// It watches files when it is asked to.
    pub(super) watches: bool,
    /// It shows Markdown.
    pub(super) markdown: bool,
    /// It asks again for what stands above documents when it is told to.
    pub(super) refreshes: bool,
}

impl Client {
    /// From the parameters of `initialize`.
    pub(super) fn of(params: &Value) -> Self {
        let capability = |path: &str| params.pointer(&format!("/capabilities/{path}"));
        let offered = capability("general/positionEncodings").and_then(Value::as_array);
        let offered: Vec<&str> = offered
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let watches = capability("workspace/didChangeWatchedFiles/dynamicRegistration");
        let refreshes = capability("workspace/codeLens/refreshSupport");
        let formats = capability("textDocument/hover/contentFormat").and_then(Value::as_array);
        let mut formats = formats.into_iter().flatten();
        Self {
            markdown: formats.any(|format| format == "markdown"),
            encoding: Encoding::agreed(&offered),
            folders: folders(params),
            watches: watches.and_then(Value::as_bool).unwrap_or_default(),
            refreshes: refreshes.and_then(Value::as_bool).unwrap_or_default(),
        }
    }

    /// The answer to `initialize`.
    pub(super) fn welcome(&self) -> Value {
        json!({
            "serverInfo": {"name": "meshc", "version": env!("CARGO_PKG_VERSION")},
            "capabilities": {
                "positionEncoding": self.encoding.kind(),
                "textDocumentSync": {"openClose": true, "change": 2, "save": {"includeText": false}},
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "completionProvider": {"triggerCharacters": [" ", ":", "{", ","]},
                "codeActionProvider": {"codeActionKinds": ["quickfix", "source.fixAll"]},
                "codeLensProvider": {"resolveProvider": true},
                "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
            },
        })
    }
}

/// The folders of the editor; of an older one, its root.
fn folders(params: &Value) -> Vec<PathBuf> {
    let text = |value: &Value, field: &str| Some(value.get(field)?.as_str()?.to_owned());
    let listed = params.get("workspaceFolders").and_then(Value::as_array);
    let listed: Vec<PathBuf> = listed
        .into_iter()
        .flatten()
        .filter_map(|folder| uri::path(&text(folder, "uri")?))
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let root = text(params, "rootUri").and_then(|root| uri::path(&root));
    let root = root.or_else(|| Some(PathBuf::from(text(params, "rootPath")?)));
    root.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_in_three_forms() {
        let table = [
            (json!({}), vec![]),
            (json!({"rootPath": "/a", "rootUri": null}), vec!["/a"]),
            (
                json!({"rootPath": "/a", "rootUri": "file:///b"}),
                vec!["/b"],
            ),
            (
                json!({"rootUri": "file:///b", "workspaceFolders": [{"uri": "file:///c", "name": "c"}, {"uri": "file:///d"}, {"name": "e"}]}),
                vec!["/c", "/d"],
            ),
            (
                json!({"rootUri": "file:///b", "workspaceFolders": null}),
                vec!["/b"],
            ),
        ];
        for (params, expected) in table {
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(Client::of(&params).folders, expected, "{params}");
        }
    }
}
