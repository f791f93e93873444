-- Opens a document of the repository at hand in Neovim, breaks it, and prints what its client was told.
local function say(what, text)
  io.stdout:write(what .. " " .. text:gsub("\n", " ") .. "\n")
end

local function attach()
  -- What the guide says for 0.11, and what there was before.
  if vim.lsp.config then
    vim.lsp.config("meshc", { cmd = { vim.env.MESHC, "lsp" }, filetypes = { "yaml" }, root_markers = { "mesh.yaml" } })
    vim.lsp.enable("meshc")
    return
  end
  vim.api.nvim_create_autocmd("FileType", {
    pattern = "yaml",
    callback = function()
      local client = vim.lsp.start_client({ name = "meshc", cmd = { vim.env.MESHC, "lsp" }, root_dir = vim.fn.getcwd() })
      vim.lsp.buf_attach_client(0, client)
    end,
  })
end

vim.cmd("filetype on")
attach()
vim.cmd("edit api/canary.yaml")
local reference = "kuma.io/display%-name: api$"
for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
  if line:find(reference) then
    vim.api.nvim_buf_set_lines(0, number - 1, number, false, { line .. "y" })
    break
  end
end
local told = vim.wait(30000, function() return #vim.diagnostic.get(0) > 0 end)
for _, found in ipairs(told and vim.diagnostic.get(0) or {}) do
  say("diagnostic", found.code .. " " .. found.message)
end
local at = vim.fn.search("kind: MeshService$", "bw")
vim.api.nvim_win_set_cursor(0, { at, vim.fn.col("$") - 2 })
local place = vim.lsp.util.make_position_params(0, "utf-16")
for _, answer in pairs(vim.lsp.buf_request_sync(0, "textDocument/hover", place, 30000) or {}) do
  if answer.result then
    say("hover", answer.result.contents.value)
  end
end
vim.cmd("qa!")
