// A stand-in for the module `vscode`: as much of the editor as vscode-languageclient needs to serve one workspace.
//
// Never decides anything about the protocol: what is asked, and what answers become, is up to the real client.
"use strict";

const { URI } = require("vscode-uri");

const nothing = { dispose() {} };

class EventEmitter {
  listeners = new Set();
  event = (listener, self) => {
    const bound = self === undefined ? listener : listener.bind(self);
    this.listeners.add(bound);
    return { dispose: () => this.listeners.delete(bound) };
  };
  fire(event) {
    for (const listener of [...this.listeners]) listener(event);
  }
  dispose() {}
}

// A class whose constructor keeps its arguments under these names.
const record = (...names) =>
  class {
    constructor(...values) {
      names.forEach((name, at) => (this[name] = values[at]));
    }
  };

const Position = record("line", "character");

class Range {
  constructor(...numbers) {
    const [a, b, c, d] = numbers;
    [this.start, this.end] = numbers.length === 2 ? [a, b] : [new Position(a, b), new Position(c, d)];
  }
}

class Hover {
  constructor(contents, range) {
    this.contents = [contents].flat();
    this.range = range;
  }
}

class WorkspaceEdit {
  edits = [];
  set(uri, edits) {
    this.edits.push([uri, edits]);
  }
}

class CodeActionKind {
  constructor(value) {
    this.value = value;
  }
  append(part) {
    return new CodeActionKind([this.value, part].filter(Boolean).join("."));
  }
}
CodeActionKind.Empty = new CodeActionKind("");
for (const [name, value] of Object.entries({
  QuickFix: "quickfix",
  Refactor: "refactor",
  RefactorExtract: "refactor.extract",
  RefactorInline: "refactor.inline",
  RefactorRewrite: "refactor.rewrite",
  Source: "source",
  SourceFixAll: "source.fixAll",
  SourceOrganizeImports: "source.organizeImports",
})) {
  CodeActionKind[name] = new CodeActionKind(value);
}

class CancellationTokenSource {
  cancelled = new EventEmitter();
  token = { isCancellationRequested: false, onCancellationRequested: this.cancelled.event };
  dispose() {}
}

// What a test looks at, and what it sets off: `events` by their names in the editor.
const editor = {
  documents: [],
  diagnostics: new Map(),
  providers: {},
  watchers: [],
  said: [],
  events: new Proxy({}, { get: (known, name) => (known[name] ??= new EventEmitter()) }),
};

// Events and classes that nobody asks for by name are there all the same.
const open = (known) =>
  new Proxy(known, {
    get(known, name) {
      if (name in known || typeof name === "symbol") return known[name];
      if (/^on(Did|Will)/.test(name)) return editor.events[name].event;
      if (/^[A-Z]/.test(name)) return (known[name] = open(class {}));
      return undefined;
    },
  });

const say = (...words) => editor.said.push(words.join(" "));
const channel = () => open({ append: say, appendLine: say, show() {}, clear() {}, dispose() {}, error: say, warn: say, info() {}, debug() {}, trace() {} });

const languages = new Proxy(
  {
    match: (selector, document) => ([selector].flat().some((one) => (one.language ?? one) === document.languageId) ? 10 : 0),
    createDiagnosticCollection: () => ({
      set(uri, list) {
        editor.diagnostics.set(uri.toString(), list ?? []);
        editor.events.diagnostics.fire();
      },
      delete: (uri) => editor.diagnostics.delete(uri.toString()),
      has: (uri) => editor.diagnostics.has(uri.toString()),
      get: (uri) => editor.diagnostics.get(uri.toString()),
      clear: () => editor.diagnostics.clear(),
      dispose() {},
    }),
  },
  {
    get(known, name) {
      const register = (_selector, provider) => {
        editor.providers[name] = provider;
        return nothing;
      };
      return name in known ? known[name] : register;
    },
  },
);

const workspace = open({
  workspaceFolders: [],
  notebookDocuments: [],
  get textDocuments() {
    return editor.documents;
  },
  getConfiguration: () => ({ get: (_key, other) => other, has: () => false, inspect: () => undefined }),
  getWorkspaceFolder: (uri) => workspace.workspaceFolders.find((folder) => uri.toString().startsWith(folder.uri.toString())),
  createFileSystemWatcher(pattern) {
    const [created, changed, deleted] = [1, 2, 3].map(() => new EventEmitter());
    const watcher = { pattern, created, changed, deleted, onDidCreate: created.event, onDidChange: changed.event, onDidDelete: deleted.event, dispose() {} };
    editor.watchers.push(watcher);
    return watcher;
  },
  registerTextDocumentContentProvider: () => nothing,
  fs: { isWritableFileSystem: () => true },
});

const window = open({
  visibleTextEditors: [],
  tabGroups: { all: [], onDidChangeTabs: () => nothing, onDidChangeTabGroups: () => nothing },
  createOutputChannel: channel,
  showErrorMessage: async (...words) => say(...words),
  showWarningMessage: async (...words) => say(...words),
  showInformationMessage: async (...words) => say(...words),
});

module.exports = open({
  __esModule: true,
  editor,
  version: "1.105.0",
  Uri: URI,
  EventEmitter,
  Position,
  Range,
  Hover,
  WorkspaceEdit,
  CodeActionKind,
  CancellationTokenSource,
  Location: record("uri", "range"),
  Diagnostic: record("range", "message", "severity"),
  DiagnosticRelatedInformation: record("location", "message"),
  MarkdownString: record("value"),
  CompletionItem: record("label", "kind"),
  CompletionList: record("items", "isIncomplete"),
  SnippetString: record("value"),
  TextEdit: record("range", "newText"),
  CodeAction: record("title", "kind"),
  CodeLens: record("range", "command"),
  RelativePattern: record("base", "pattern"),
  languages,
  workspace,
  window,
  env: { language: "en", appName: "Visual Studio Code" },
  commands: { registerCommand: () => nothing },
  extensions: { all: [] },
  DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2, Hint: 3 },
  DiagnosticTag: { Unnecessary: 1, Deprecated: 2 },
  CodeActionTriggerKind: { Invoke: 1, Automatic: 2 },
  CompletionTriggerKind: { Invoke: 0, TriggerCharacter: 1, TriggerForIncompleteCompletions: 2 },
  CompletionItemKind: { Text: 0, Value: 11 },
  CompletionItemTag: { Deprecated: 1 },
  TextDocumentChangeReason: { Undo: 1, Redo: 2 },
  TextDocumentSaveReason: { Manual: 1, AfterDelay: 2, FocusOut: 3 },
  LogLevel: { Off: 0, Trace: 1, Debug: 2, Info: 3, Warning: 4, Error: 5 },
  UIKind: { Desktop: 1 },
  SymbolKind: {},
  SymbolTag: {},
});
