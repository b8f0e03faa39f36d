//! Texts of clients, written so that a terminal shows what they are, and of limited length.

use std::borrow::Cow;

use crate::config::LoggedQuery;

/// What stands where a text was cut.
const CUT: &str = "…";

/// Appends `text` as JSON. Characters that a terminal would act on (control characters, C1
/// included) or that change the order of others (marks of direction) are escaped. Cut to
/// `bytes_max` between its quotes, a mark of [`CUT`] besides.
pub(super) fn push(line: &mut Vec<u8>, text: &str, bytes_max: usize) {
    line.push(b'"');
    push_bare(line, text, bytes_max);
    line.push(b'"');
}

/// The same without the quotes.
pub(super) fn push_bare(line: &mut Vec<u8>, text: &str, bytes_max: usize) {
    let end = line.len() + bytes_max;
    for character in text.chars() {
        let before = line.len();
        push_character(line, character);
        if end < line.len() {
            line.truncate(before);
            line.extend_from_slice(CUT.as_bytes());
            break;
        }
    }
}

/// `path` with its query as far as that is written.
pub(crate) fn masked(path: &str, query: LoggedQuery) -> Cow<'_, str> {
    let Some((only_path, parameters)) = path.split_once('?') else { return path.into() };
    match query {
        LoggedQuery::Whole => path.into(),
        LoggedQuery::Nothing => only_path.into(),
        LoggedQuery::Names => {
            let names = parameters.split('&').map(|parameter| match parameter.split_once('=') {
                Some((name, _)) => format!("{name}=*"),
                // It may be a value by itself.
                None if parameter.is_empty() => String::new(),
                None => "*".to_owned(),
            });
            format!("{only_path}?{}", names.collect::<Vec<_>>().join("&")).into()
        }
    }
}

fn push_character(line: &mut Vec<u8>, character: char) {
    match character {
        '"' | '\\' => line.extend_from_slice(&[b'\\', character as u8]),
        '\n' => line.extend_from_slice(b"\\n"),
        '\r' => line.extend_from_slice(b"\\r"),
        '\t' => line.extend_from_slice(b"\\t"),
        _ if is_active(character) => {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                line.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
        _ => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Whether a terminal or an editor would do something else with it than to show it.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(text: &str, bytes_max: usize) -> String {
        let mut line = Vec::new();
        push(&mut line, text, bytes_max);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        assert_eq!(pushed("/a?b=\"c\\", 99), r#""/a?b=\"c\\""#);
        assert_eq!(pushed("a\n\r\t\u{1b}[2J", 99), r#""a\n\r\t\u001b[2J""#);
        assert_eq!(
            pushed("\u{9b}2J\u{202e}\u{2066}\u{200f}", 99),
            r#""\u009b2J\u202e\u2066\u200f""#
        );
        assert_eq!(pushed("\u{e0041}ü", 99), r#""\udb40\udc41ü""#);
    }

    #[test]
    fn what_is_written_is_json_for_every_character() {
        for character in ('\0'..=char::MAX).step_by(7) {
            let written = pushed(&character.to_string(), 99);
            let read: String = serde_json::from_str(&written).unwrap();
            assert_eq!(read, character.to_string(), "{written}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(pushed("abcdef", 6), "\"abcdef\"");
        assert_eq!(pushed("abcdefg", 6), "\"abcdef…\"");
        assert_eq!(pushed("ab\u{9b}", 6), "\"ab…\"");
    }

    #[test]
    fn values_of_queries_are_masked() {
        let path = "/a?token=secret&b=&flag&&c=1?2";
        assert_eq!(masked(path, LoggedQuery::Whole), path);
        assert_eq!(masked(path, LoggedQuery::Names), "/a?token=*&b=*&*&&c=*");
        assert_eq!(masked(path, LoggedQuery::Nothing), "/a");
        assert_eq!(masked("/a", LoggedQuery::Names), "/a");
    }
}
