// What the extension `zsol.vscode-glspc` does with its settings, by the client library that it is made of; then one document
// of the repository at hand is opened, broken and mended, and what VS Code would show is printed.
//
// Never looks at a message: only at what the client hands to the editor.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

const modules = process.env.MODULES;
const load = Module._load;
Module._load = function (name, ...rest) {
  const known = { vscode: path.join(__dirname, "module.js"), "vscode-uri": path.join(modules, "vscode-uri") };
  return load.call(this, known[name] ?? name, ...rest);
};
const vscode = require("vscode");
const { LanguageClient } = require(path.join(modules, "vscode-languageclient/lib/node/main.js"));

const { editor } = vscode;
const top = process.cwd();
const print = (what, value) => console.log(`${what} ${typeof value === "string" ? value : JSON.stringify(value)}`);
const place = ({ start, end }) => `${start.line}:${start.character}-${end.line}:${end.character}`;
const at = (text, needle, plus = 1) => {
  const line = text.split("\n").findIndex((line) => line.includes(needle));
  return new vscode.Position(line, text.split("\n")[line].indexOf(needle) + plus);
};

function openDocument(name, text = fs.readFileSync(path.join(top, name), "utf8")) {
  const uri = vscode.Uri.file(path.join(top, name));
  const document = { uri, fileName: uri.fsPath, languageId: "yaml", version: 1, text, getText: () => document.text };
  editor.documents.push(document);
  editor.events.onDidOpenTextDocument.fire(document);
  return document;
}

function write(document, text) {
  const lines = document.text.split("\n");
  const range = new vscode.Range(0, 0, lines.length - 1, lines.at(-1).length);
  Object.assign(document, { text, version: document.version + 1 });
  editor.events.onDidChangeTextDocument.fire({ document, contentChanges: [{ range, text }], reason: undefined });
}

// The findings of a document, once they are as they should be.
function findings(uri, isSo) {
  const list = () => editor.diagnostics.get(uri.toString()) ?? [];
  return new Promise((resolve) => {
    const look = () => isSo(list()) && (listener.dispose(), resolve(list()));
    const listener = editor.events.diagnostics.event(look);
    look();
  });
}

async function scene(client) {
  const token = new vscode.CancellationTokenSource().token;
  const { registerHoverProvider, registerDefinitionProvider, registerCompletionItemProvider, registerCodeLensProvider, registerCodeActionsProvider } = editor.providers;
  print("encoding", client.initializeResult.capabilities.positionEncoding);

  // Characters of two UTF-16 units before what is wrong.
  const document = openDocument("api/canary.yaml");
  const good = document.text;
  const one = /- kind: MeshService\n\s+labels:\n.*api-v1\n\s+port: 80\n\s+weight: 90/;
  const flow = '- {kind: MeshService, "😀": 1, labels: {kuma.io/display-name: api-v1}, port: 80, weigt: 90}';
  write(document, good.replace(one, flow));
  for (const found of await findings(document.uri, (list) => list.length > 0)) {
    print("diagnostic", `${found.code} ${place(found.range)} ${found.message.replaceAll("\n", " ")}`);
    const context = { diagnostics: [found], triggerKind: vscode.CodeActionTriggerKind.Invoke };
    for (const action of (await registerCodeActionsProvider.provideCodeActions(document, found.range, context, token)) ?? []) {
      const edits = action.edit.edits.flatMap(([, edits]) => edits).map((edit) => `${place(edit.range)} ${edit.newText}`);
      print("action", `${action.kind.value} ${action.title}: ${edits}`);
    }
  }
  const items = await registerCompletionItemProvider.provideCompletionItems(document, at(document.text, "api-v1", 4), token, { triggerKind: 0 });
  print("completion", items.items.map((item) => item.label).join(" "));

  write(document, good);
  await findings(document.uri, (list) => list.length === 0);
  const hover = await registerHoverProvider.provideHover(document, at(good, "kind: MeshService", 8), token);
  print("hover", hover.contents.map((part) => part.value).join(" ").replaceAll("\n", " "));
  for (const found of await registerDefinitionProvider.provideDefinition(document, at(good, "display-name: api-v1", 15), token)) {
    print("definition", `${path.relative(top, found.uri.fsPath)} ${place(found.range)}`);
  }
  const lenses = async () => (await registerCodeLensProvider.provideCodeLenses(document, token)).map((lens) => lens.command.title);
  print("lens", await lenses());

  // Something else than the editor writes another file.
  print("watches", editor.watchers.map((watcher) => watcher.pattern));
  const lensesChange = () => new Promise((resolve) => registerCodeLensProvider.onDidChangeCodeLenses(resolve));
  const other = vscode.Uri.file(path.join(top, "api/extra.yaml"));
  let changed = lensesChange();
  fs.writeFileSync(other.fsPath, "type: MeshTimeouts\n");
  editor.watchers[0].created.fire(other);
  print("elsewhere", (await findings(other, (list) => list.length > 0))[0].code);
  await changed;
  changed = lensesChange();
  fs.rmSync(path.join(top, "outsider"), { recursive: true });
  editor.watchers[0].deleted.fire(vscode.Uri.file(path.join(top, "outsider/dataplane.yaml")));
  await changed;
  print("lens", await lenses());
  print("said", editor.said);
}

(async () => {
  vscode.workspace.workspaceFolders = [{ uri: vscode.Uri.file(top), name: "mesh", index: 0 }];
  const server = async () => spawn(process.env.MESHC, ["lsp"], { cwd: top });
  const client = new LanguageClient("glspc", "Generic LSP Client", server, {
    documentSelector: ["yaml"],
    diagnosticCollectionName: "glspc",
    outputChannel: vscode.window.createOutputChannel("glspc"),
    initializationOptions: {},
  });
  await client.start();
  await scene(client);
  await client.stop();
  print("stopped", "");
  process.exit(0);
})().catch((error) => {
  console.error(error, editor.said);
  process.exit(1);
});
