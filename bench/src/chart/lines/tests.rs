use super::super::axis::Spacing;
use super::*;

fn chart() -> LineChart {
    let line = |name: &str, slope: f64| Line {
        name: name.to_owned(),
        is_subject: name == "first",
        points: (1..=50).map(|x| (f64::from(x), slope * f64::from(x))).collect(),
    };
    LineChart {
        title: "A title & more".to_owned(),
        x: Axis::new("time in seconds", Spacing::Linear),
        y: Axis::new("slowdown", Spacing::Log),
        lines: vec![line("first", 1.0), line("second", 0.5)],
    }
}

fn drawn(chart: &LineChart) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chart.svg");
    chart.write_svg(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_picture_is_xml_that_names_its_lines_and_axes() {
    let svg = drawn(&chart());
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for text in ["A title & more", "time in seconds", "slowdown", "first", "second"] {
        assert!(texts.iter().any(|found| found.trim() == text), "`{text}` is not in {texts:?}");
    }
}

#[test]
fn the_ground_is_white() {
    assert!(drawn(&chart()).contains("fill=\"#FFFFFF\""));
}

#[test]
fn a_chart_with_nothing_to_show_is_drawn() {
    let mut empty = chart();
    empty.lines.clear();
    roxmltree::Document::parse(&drawn(&empty)).unwrap();
}

#[test]
fn a_folder_that_there_is_not_is_told() {
    let error = chart().write_svg(Path::new("/nowhere/chart.svg")).unwrap_err();
    assert!(error.to_string().starts_with("cannot draw `/nowhere/chart.svg`: "), "{error}");
}
