//! Atlassian Document Format: what a comment's body must look like, and its plain text.

use serde_json::{Value, json};

const BLOCKS: [&str; 8] =
    ["paragraph", "heading", "bulletList", "orderedList", "listItem", "codeBlock", "blockquote", "panel"];
const MARKS: [&str; 7] = ["strong", "em", "code", "link", "strike", "underline", "textColor"];

/// The text of a valid document, one line per paragraph; `None` when Jira would refuse it (`contracts/tickets.md A7`).
pub(super) fn text(document: &Value) -> Option<String> {
    if document["type"] != "doc" || document["version"] != 1 {
        return None;
    }
    let mut lines = Vec::new();
    for block in document["content"].as_array()? {
        walk(block, &mut lines)?;
    }
    Some(lines.join("\n"))
}

/// A document of one paragraph per line.
pub(super) fn document(text: &str) -> Value {
    let paragraphs: Vec<Value> = text
        .lines()
        .map(|line| match line {
            "" => json!({"type": "paragraph", "content": []}),
            line => json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}),
        })
        .collect();
    json!({"type": "doc", "version": 1, "content": paragraphs})
}

fn walk(block: &Value, lines: &mut Vec<String>) -> Option<()> {
    let kind = block["type"].as_str()?;
    if kind == "rule" {
        return Some(());
    }
    if !BLOCKS.contains(&kind) {
        return None;
    }
    let children = block["content"].as_array().map_or(&[][..], Vec::as_slice);
    if matches!(kind, "paragraph" | "heading" | "codeBlock") {
        let line: Option<String> = children.iter().map(inline).collect();
        lines.push(line?);
        return Some(());
    }
    children.iter().try_for_each(|child| walk(child, lines))
}

fn inline(node: &Value) -> Option<String> {
    match node["type"].as_str()? {
        "text" => {
            let text = node["text"].as_str().filter(|text| !text.is_empty())?;
            marks_agree(&node["marks"]).then(|| text.to_owned())
        }
        "hardBreak" => Some("\n".to_owned()),
        "mention" | "emoji" | "inlineCard" => Some(node["attrs"]["text"].as_str().unwrap_or_default().to_owned()),
        _ => None,
    }
}

/// `code` goes together with nothing but a link.
fn marks_agree(marks: &Value) -> bool {
    let kinds: Vec<&str> = marks.as_array().into_iter().flatten().filter_map(|mark| mark["type"].as_str()).collect();
    let known = kinds.iter().all(|kind| MARKS.contains(kind));
    let alone = kinds.iter().all(|kind| matches!(*kind, "code" | "link"));
    known && (alone || !kinds.contains(&"code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_and_its_text_agree() {
        assert_eq!(text(&document("granted\n\nuntil noon")).as_deref(), Some("granted\n\nuntil noon"));
    }

    #[test]
    fn an_empty_text_node_is_refused() {
        let empty = json!({"type": "doc", "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": ""}]}]});
        assert_eq!(text(&empty), None);
    }

    #[test]
    fn code_and_strong_do_not_combine() {
        let marks = json!([{"type": "code"}, {"type": "strong"}]);
        assert!(!marks_agree(&marks));
        assert!(marks_agree(&json!([{"type": "strong"}, {"type": "em"}])));
    }
}
