//! What `fmt` writes, case by case.

mod properties;

use super::*;

#[track_caller]
fn becomes(before: &str, after: &str) {
    let formatted = format(before);
    assert_eq!(formatted.text, after, "{:?}", formatted.left);
    assert_eq!(formatted.left, []);
    assert_eq!(format(after).text, after, "a second time");
}

#[track_caller]
fn stays(text: &str, why: Why) {
    let formatted = format(text);
    assert_eq!(formatted.text, text);
    let reasons: Vec<Why> = formatted.left.iter().map(|left| left.why).collect();
    assert_eq!(reasons, [why]);
}

#[test]
fn indentation_is_two_columns_and_lists_are_indented() {
    let before = "\
type: MeshTimeout
mesh: default
name: t
spec:
    to:
    - targetRef:
          kind: Mesh
      default:
            idleTimeout: 1h
    -   targetRef: {kind: Mesh}
";
    let after = "\
type: MeshTimeout
mesh: default
name: t
spec:
  to:
    - targetRef:
        kind: Mesh
      default:
        idleTimeout: 1h
    - targetRef: {kind: Mesh}
";
    becomes(before, after);
}

#[test]
fn the_first_keys_have_an_order_and_comments_go_with_them() {
    let before = "\
# About all of it.
name: a
labels: {a: b}  # why
# About the spec.
spec: {}
mesh: default
type: X
networking: {}
";
    let after = "\
# About all of it.
type: X
mesh: default
name: a
labels: {a: b}  # why
networking: {}
# About the spec.
spec: {}
";
    becomes(before, after);
    let before = "\
spec: {}
metadata:
  labels: {a: b}
  namespace: x
  # About the name.
  name: a
kind: MeshTimeout
apiVersion: kuma.io/v1alpha1
";
    let after = "\
apiVersion: kuma.io/v1alpha1
kind: MeshTimeout
metadata:
  # About the name.
  name: a
  namespace: x
  labels: {a: b}
spec: {}
";
    // The comment would be one on the whole of the metadata.
    assert_eq!(
        format(before).left,
        [Left {
            line: 1,
            why: Why::Order
        }]
    );
    let moved = before.replace("  # About the name.\n", "");
    becomes(&moved, &after.replace("  # About the name.\n", ""));
}

#[test]
fn a_comment_on_a_key_never_becomes_one_on_the_document() {
    let text = "name: a\n# meshc: ignore[no-effect] because\ntype: X\n";
    let formatted = format(text);
    assert_eq!(formatted.text, text);
    assert_eq!(
        formatted.left,
        [Left {
            line: 1,
            why: Why::Order
        }]
    );
}

#[test]
fn quotes_stand_only_where_they_are_needed() {
    let before = "\
type: 'X'
\"name\": \"api\"
a: 'true'
b: \"1\"
c: 'a: b'
d: 'say \"no\"'
e: [\"x\", 'y z', \"kuma.io/zone\"]
f: \"\\u00e9\"
g: it's plain
h: ''
";
    let after = "\
type: X
name: api
a: \"true\"
b: \"1\"
c: \"a: b\"
d: 'say \"no\"'
e: [x, \"y z\", kuma.io/zone]
f: \"\\u00e9\"
g: it's plain
h: \"\"
";
    becomes(before, after);
}

#[test]
fn lines_are_blank_once_and_not_at_the_edges() {
    let before = "\n\n---\n\ntype: X   \nspec:\n\n  a: 1\n\n\n\n  b: 2\n\n\n---\n---\n# c  \n\n\ntype: Y\n\n\n";
    let after = "type: X\nspec:\n  a: 1\n\n  b: 2\n---\n# c\n\ntype: Y\n";
    becomes(before, after);
    becomes("type: X", "type: X\n");
    becomes("type: X\r\nname: a\r\n", "type: X\nname: a\n");
    becomes(
        "# Only this.\n---\ntype: X\n",
        "# Only this.\n---\ntype: X\n",
    );
    becomes("--- # c\ntype:   X\n", "--- # c\ntype: X\n");
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let before = "\
type: X # what
spec: # which
   # above
   to: # targets
      # first
      - a: 1 # one
        # still in the item
      # still in the list
      # second
      -     # behind the dash
        b: 2
   # still in the spec
# about the name
name: a
# at the end
";
    let after = "\
type: X  # what
# about the name
name: a
spec:  # which
  # above
  to:  # targets
    # first
    - a: 1  # one
      # still in the item
    # still in the list
    # second
    -  # behind the dash
      b: 2
  # still in the spec
# at the end
";
    becomes(before, after);
}

#[test]
fn brackets_stay_on_one_line_or_become_blocks() {
    let before =
        "type: X\na: {  b: c,d: [ 1,2 ] , }\ne: [\n  {f: g},\n  h\n] # why\ni: {\n}\nj: {k}\n";
    let after =
        "type: X\na: {b: c, d: [1, 2]}\ne:  # why\n  - {f: g}\n  - h\ni: {}\nj: {k: null}\n";
    becomes(before, after);
    becomes("{ type: X,  name: a }\n", "{type: X, name: a}\n");
}

#[test]
fn texts_on_several_lines_keep_their_lines() {
    let before = "\
type: X
a: |
      one
        two  

      # three
b:   >-   # folded
   x

   y

c: plain
      text
d: \"quoted

   text\"
e:
- |
   z
";
    let after = "\
type: X
a: |
  one
    two  

  # three
b: >-  # folded
  x

  y

c: plain
  text
d: \"quoted

  text\"
e:
  - |
    z
";
    becomes(before, after);
}

#[test]
fn what_cannot_be_written_for_certain_stays() {
    stays("type: X\na:   &x 1\nb: *x\n", Why::Anchor);
    stays("type: X\na:   &x {c: d}\nb: *x\n", Why::Anchor);
    stays("type: X\na:   &x 1\n", Why::Anchor);
    stays("type: X\na:   !!str 1\n", Why::Tag);
    stays("%YAML 1.2\n---\ntype:   X\n", Why::Directive);
    stays("type:   X\n...\n", Why::Directive);
    stays("--- {type: X}\n", Why::Marker);
    stays("type: X\n? a\n:   b\n", Why::ExplicitKey);
    stays("type: X\na:   |2\n    b\n", Why::BlockScalar);
    stays("type: X\na:   |+\n  b\n\n", Why::BlockScalar);
    stays("type: X\na: [1,   # one\n  2]\n", Why::Comment);
    stays(
        "type: X\na:\n  -\n    # meshc: ignore[no-effect] why\n    b: 1\n",
        Why::Comment,
    );
    stays("type: X\nb: {{ .Values.b }}\n", Why::Broken);
    stays("type: X\nb:   1\nb: 2\n", Why::Broken);
    stays("type: X\nb:   1\rc: 2\n", Why::LineEnd);
}

#[test]
fn one_document_that_stays_does_not_keep_the_others() {
    let text = "type:   X\n---\ntype:   Y\na: &x 1\n---\ntype:   Z\n";
    let formatted = format(text);
    assert_eq!(
        formatted.text,
        "type: X\n---\ntype:   Y\na: &x 1\n---\ntype: Z\n"
    );
    assert_eq!(
        formatted.left,
        [Left {
            line: 3,
            why: Why::Anchor
        }]
    );
}

#[test]
fn documents_of_other_tools_are_none_of_ours() {
    for text in [
        "a:   1\n",
        "apiVersion: apps/v1\nkind:   Deployment\n",
        "- 1\n-   2\n",
        "",
        "\n\n",
    ] {
        assert_eq!(
            format(text),
            Formatted {
                text: text.to_owned(),
                left: Vec::new()
            }
        );
    }
}
