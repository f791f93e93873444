//! A page of Markdown with what stands in its fences.
//!
//! What follows the language of a fence says what a block is for:
//! `sh` is a script that has to end well, `sh needs=WHAT` one that cannot be run here; in `console`, lines that begin with `$`
//! are commands and the others what they print, `# exits N` at the end of a command says how it ends; `yaml file=PATH` is
//! written into that file, `diff apply` is applied; `markdown run="COMMAND"` holds what the command prints.

/// A page.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

/// What stands between two fences.
pub(super) struct Block {
    /// Of its first fence, from 1.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) work: Work,
}

/// What a block is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// To be looked at.
    Nothing,
    /// To be run; or what that would need.
    Script { needs: Option<String> },
    /// Commands with what they print.
    Session,
    /// What a command prints.
    Output(String),
    /// What is written into a file.
    File(String),
    /// What is changed in files.
    Patch,
}

impl Work {
    fn of(info: &str) -> Self {
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        let value = |key: &str| {
            let value = rest.strip_prefix(key)?.strip_prefix('=')?;
            Some(value.trim_matches('"').to_owned())
        };
        match language {
            "console" => Self::Session,
            "diff" if rest == "apply" => Self::Patch,
            "sh" => Self::Script {
                needs: value("needs"),
            },
            _ => value("file")
                .map(Self::File)
                .or(value("run").map(Self::Output))
                .unwrap_or(Self::Nothing),
        }
    }
}

impl Page {
    pub(super) fn read(path: &str, text: &str) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut fence: Option<String> = None;
        for (line, content) in (1..).zip(text.lines()) {
            let ticks: String = content.chars().take_while(|c| *c == '`').collect();
            match (&fence, blocks.last_mut()) {
                (Some(open), _) if content == *open => fence = None,
                (Some(_), Some(block)) => {
                    block.text.push_str(content);
                    block.text.push('\n');
                }
                _ if ticks.len() >= 3 => {
                    let info = content.trim_start_matches('`').trim();
                    blocks.push(Block {
                        line,
                        text: String::new(),
                        work: Work::of(info),
                    });
                    fence = Some(ticks);
                }
                _ => {}
            }
        }
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            blocks,
        }
    }

    /// Does it show what commands print?
    pub(super) fn is_recorded(&self) -> bool {
        let mut blocks = self.blocks.iter();
        blocks.any(|block| matches!(block.work, Work::Session | Work::Output(_)))
    }

    /// The page with other contents of its blocks.
    pub(super) fn recorded(&self, play: impl Fn(&Block) -> String) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut text = String::new();
        let mut next = 0;
        for block in &self.blocks {
            for line in &lines[next..block.line] {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str(&play(block));
            next = block.line + block.text.lines().count();
        }
        for line in &lines[next..] {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl Block {
    /// Is it run at the top of a clone of this repository?
    pub(super) fn names_examples(&self) -> bool {
        self.text.contains("examples/")
    }
}

/// A command, and the exit code that its comment says.
pub(super) fn expected(command: &str) -> (&str, i32) {
    let said = command.rsplit_once("  # exits ");
    let said = said.and_then(|(command, code)| Some((command, code.parse().ok()?)));
    said.unwrap_or((command, 0))
}

#[test]
fn a_page_is_read_and_written_again() {
    let text = "# T\n\n```sh\na \\\n  b\n```\n\n````console\n$ c  # exits 1\nold\n```\n````\n```yaml file=x/y.yaml\nz\n```\n```mermaid run=\"d e\"\n```\n```sh needs=servers\n```\nend\n";
    let page = Page::read("a.md", text);
    let works: Vec<&Work> = page.blocks.iter().map(|block| &block.work).collect();
    let needs = |needs: &str| Work::Script {
        needs: Some(needs.to_owned()),
    };
    assert_eq!(
        works,
        [
            &Work::Script { needs: None },
            &Work::Session,
            &Work::File("x/y.yaml".to_owned()),
            &Work::Output("d e".to_owned()),
            &needs("servers"),
        ]
    );
    assert!(page.is_recorded());
    assert_eq!(page.recorded(|block| block.text.clone()), text);
    let other = page.recorded(|block| match block.work {
        Work::Session => "$ c\nnew\n".to_owned(),
        _ => block.text.clone(),
    });
    assert_eq!(
        other,
        text.replace("$ c  # exits 1\nold\n```\n", "$ c\nnew\n")
    );
    assert_eq!(expected("meshc check  # exits 1"), ("meshc check", 1));
    assert_eq!(expected("meshc check  # why"), ("meshc check  # why", 0));
}
