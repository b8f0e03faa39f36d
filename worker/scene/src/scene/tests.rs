use proptest::prelude::*;

use super::*;

/// What a worker allows by default.
const LIMITS: Limits = Limits { shapes: 10_000, lights: 100, recursion_depth: DEPTH_MAX };

/// What is in a well-formed scene.
#[derive(Debug)]
struct Text {
    lights: usize,
    pigments: Vec<usize>,
    finishes: usize,
    shapes: Vec<usize>,
    numbers: Vec<f64>,
}

impl Text {
    /// The scene; its numbers are taken in turns.
    fn write(&self) -> String {
        let mut words = Vec::new();
        let mut numbers = self.numbers.iter().cycle();
        let mut put = |text: &str, n_numbers: usize| {
            words.extend((!text.is_empty()).then(|| text.to_owned()));
            words.extend(numbers.by_ref().take(n_numbers).map(f64::to_string));
        };
        put("", 10);
        put(&self.lights.to_string(), 9 * self.lights);
        put(&self.pigments.len().to_string(), 0);
        for kind in &self.pigments {
            let (name, n_numbers) = PIGMENTS[kind % PIGMENTS.len()];
            put(name, n_numbers);
        }
        put(&self.finishes.to_string(), 7 * self.finishes);
        put(&self.shapes.len().to_string(), 0);
        for (nth, kind) in self.shapes.iter().enumerate() {
            let (name, n_numbers) = SHAPES[kind % SHAPES.len()];
            let (pigment, finish) = (nth % self.pigments.len(), nth % self.finishes);
            put(&format!("{pigment} {finish} {name}"), n_numbers);
        }
        words.join(" ")
    }
}

/// What a pigment begins with, and how many numbers follow.
const PIGMENTS: [(&str, usize); 4] =
    [("solid", 3), ("checker", 7), ("gradient", 12), ("texmap any.png", 8)];

/// What a shape begins with, and how many numbers follow.
const SHAPES: [(&str, usize); 10] = [
    ("sphere", 4),
    ("plane", 4),
    ("triangle", 9),
    ("cylinder", 7),
    ("cone", 7),
    ("disc", 7),
    ("parallelogram", 9),
    ("bezier", 48),
    ("polyhedron 0", 0),
    ("polyhedron 2", 8),
];

fn texts() -> impl Strategy<Value = Text> {
    let kinds = || prop::collection::vec(0_usize..36, 1..12);
    let number = prop_oneof![-9.0..9.0_f64, -1e38..1e38_f64, Just(0.0)];
    (0_usize..9, kinds(), 1_usize..9, kinds(), prop::collection::vec(number, 1..200)).prop_map(
        |(lights, pigments, finishes, shapes, numbers)| Text {
            lights,
            pigments,
            finishes,
            shapes,
            numbers,
        },
    )
}

/// Some of the words of a well-formed scene, some of them exchanged, and some that are none.
fn damaged() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "sphere",
        "solid",
        "-1",
        "1e999",
        "nan",
        "99999999999999999999",
        "4097",
        "0",
        "\u{a0}",
        "é",
    ]);
    (texts(), prop::collection::vec((any::<usize>(), word), 0..5), any::<usize>()).prop_map(
        |(text, changes, cut)| {
            let text = text.write();
            let mut words: Vec<&str> = text.split_whitespace().collect();
            let n_words = words.len();
            for (place, word) in &changes {
                words[place % n_words] = word;
            }
            words.truncate(n_words - (cut % (4 * n_words)).min(n_words));
            words.join(" ")
        },
    )
}

/// Both readings of a scene see the same.
fn assert_agree(text: &str) {
    let Ok(scene) = parse(text, &LIMITS) else { return };
    let outline = outline(text).expect("what can be rendered has an outline");
    let n = [outline.n_lights, outline.n_pigments, outline.n_finishes, outline.n_shapes];
    let (lights, pigments) = (scene.lights.len(), scene.pigments.len());
    assert_eq!(n, [lights, pigments, scene.finishes.len(), scene.shapes.len()], "{text}");
    if n.iter().all(|n| *n <= Outline::KEPT_MAX) {
        assert_eq!(format!("{:?}", outline.scene), format!("{scene:?}"), "{text}");
    }
}

#[test]
fn an_outline_keeps_the_first_of_very_many() {
    let n = Outline::KEPT_MAX + 10;
    let light = "1 2 3 0 0 0 1 0 0 ".repeat(100);
    let text = format!(
        "0 0 0 0 0 -1 0 1 0 40 100 {light} {n} {} {n} {} {n} {}",
        "solid 1 1 1 ".repeat(n),
        "1 1 1 1 0 0 1 ".repeat(n),
        "4100 4100 sphere 0 0 -9 1\u{a0}".repeat(n),
    );
    assert_agree(&text);
    let outline = outline(&text).expect("it is a scene");
    assert_eq!([outline.n_pigments, outline.n_finishes, outline.n_shapes], [n; 3]);
    let kept = [
        outline.scene.pigments.len(),
        outline.scene.finishes.len(),
        outline.scene.shapes.len(),
        outline.scene.shapes.n_spheres(),
    ];
    assert_eq!(kept, [Outline::KEPT_MAX; 4]);
}

#[test]
fn a_count_of_more_shapes_than_the_text_has_room_for_is_not_believed() {
    let shape = "0 0 plane 0 1 0 1 ".repeat(Outline::KEPT_MAX);
    let text =
        format!("0 0 0 0 0 -1 0 1 0 40 0 1 solid 1 1 1 1 1 1 1 1 0 0 1 {} {shape}", u64::MAX);
    let outline = outline(&text).expect("the shapes that are kept are there");
    assert_eq!(outline.n_shapes, text.len());
    assert!(parse(&text, &LIMITS).is_err());
}

#[test]
fn any_white_space_separates_tokens() {
    let text = "0 0 0 0 0 -1 0 1 0 40 0 0 0 0";
    for space in ["\t", "\r\n", "\u{b}", "\u{a0}", "\u{2003}", " \u{3000}\n"] {
        let text = text.replace(' ', space);
        assert!(parse(&format!("{space}{text}{space}"), &LIMITS).is_ok(), "{text:?}");
        assert_agree(&text);
    }
    assert!(parse(&text.replacen(' ', "\u{1f}", 1), &LIMITS).is_err(), "no white space");
    assert!(parse(&text.replacen(' ', "é", 1), &LIMITS).is_err(), "no white space");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_scene_that_is_accepted_has_the_same_outline(text in texts()) {
        let text = text.write();
        prop_assert!(parse(&text, &LIMITS).is_ok(), "{text}");
        assert_agree(&text);
    }

    #[test]
    fn damaged_scenes_have_an_outline_or_none(text in damaged()) {
        outline(&text);
        assert_agree(&text);
    }

    #[test]
    fn any_text_has_an_outline_or_none(text in "(.|[0-9 .]){0,80}") {
        outline(&text);
        assert_agree(&text);
    }
}
