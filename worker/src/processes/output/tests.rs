use super::*;

#[tokio::test]
async fn the_last_lines_are_kept_and_long_ones_are_cut() {
    let last = LastLines::default();
    let long = "x".repeat(LINE_BYTES_MAX + 10);
    let lines: Vec<String> = (0..300).map(|n| format!("line {n}\r\n")).collect();
    let text = lines.concat() + &long;
    log(text.as_bytes(), 0, last.clone()).await;
    let lines = last.lines.lock().clone();
    assert_eq!(lines.len(), KEPT);
    assert_eq!(lines[0], "line 293");
    assert_eq!(lines[KEPT - 1], format!("{}…", &long[..LINE_BYTES_MAX]));
}
