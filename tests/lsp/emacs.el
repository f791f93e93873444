;;; Opens a document of the repository at hand in Emacs, breaks it, and prints what its client was told. -*- lexical-binding: t -*-

(require 'yaml-mode nil t)
(require 'eglot)
(require 'flymake)

(defun said (what text)
  (princ (format "%s %s\n" what (replace-regexp-in-string "\n" " " text))))

(defun until (seconds found)
  "Wait until FOUND gives something, at most SECONDS; what the server says arrives meanwhile."
  (let ((end (+ (float-time) seconds)) (value nil))
    (while (and (not (setq value (funcall found))) (< (float-time) end))
      (accept-process-output nil 0.05))
    value))

;; What the guide says, with the program under test.
(add-to-list 'eglot-server-programs `((yaml-mode yaml-ts-mode) . (,(getenv "MESHC") "lsp")))
(setq eglot-sync-connect 30
      eglot-autoshutdown t
      eglot-send-changes-idle-time 0)

(find-file "api/canary.yaml")
(unless (derived-mode-p 'yaml-mode) (yaml-mode))
(call-interactively #'eglot)

(goto-char (point-min))
(re-search-forward "kuma.io/display-name: api$")
(insert "y")
(eglot--signal-textDocument/didChange)
(flymake-mode 1)
(dolist (found (or (until 30 (lambda () (flymake-start) (flymake-diagnostics))) '()))
  (said "diagnostic" (flymake-diagnostic-text found)))

(goto-char (point-max))
(re-search-backward "kind: MeshService$")
(end-of-line)
(backward-char 2)
(let* ((server (eglot-current-server))
       (hover (jsonrpc-request server :textDocument/hover (eglot--TextDocumentPositionParams) :timeout 30)))
  (said "hover" (plist-get (plist-get hover :contents) :value))
  (eglot-shutdown server))
