//! The pages as HTML. Whatever clients have said is text in them: maud escapes it.

use maud::{DOCTYPE, Markup, html};

/// What photos may be.
const PHOTOS: &str = "image/jpeg,image/png,image/bmp,image/gif,image/tiff";

/// What music may be.
const MUSIC: &str = "audio/*,.mp3,.m4a,.aac,.wav,.flac,.ogg";

/// The most photos of a film, as the worker has it.
const PHOTOS_MAX: u32 = 200;

/// Sizes of films to choose from.
const SIZES: [(&str, &str); 5] = [
    ("1280x720", "HD, 1280 × 720"),
    ("1920x1080", "Full HD, 1920 × 1080"),
    ("854x480", "small, 854 × 480"),
    ("720x1280", "upright, 720 × 1280"),
    ("720x720", "square, 720 × 720"),
];

/// A page of `title` around `content`; `script`: with that of films, `has_desk`: with what
/// customers ask.
fn page(title: &str, (script, has_desk): (bool, bool), content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="upload/page.css";
                link rel="icon" href="upload/icon.svg";
                @if script { script type="module" src="upload/upload.js" {} }
            }
            body {
                nav aria-label="Pages" {
                    a href="./" { "Animato" }
                    a href="upload" { "Make a film" }
                    @if has_desk {
                        a href="makevideo" { "Ask for a job" }
                        a href="checkstatus" { "Look at a job" }
                    }
                }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    page.into_string()
}

/// What there is.
pub(super) fn home(has_desk: bool) -> String {
    let content = html! {
        div.card {
            p { "Photos become a film that fades from one to the next." }
            ul {
                li { a href="upload" { "Make a film" } " of photos and music from here." }
                @if has_desk {
                    li {
                        a href="makevideo" { "Ask for a job" } ": a film of all photos of a bucket."
                    }
                    li { a href="checkstatus" { "Look at a job" } " that was asked for." }
                }
            }
        }
    };
    page("Animato", (false, has_desk), &content)
}

/// Where films are made of files.
///
/// Jobs are asked for at `jobs`, and a form may have `bytes_max`.
pub(super) fn upload(has_desk: bool, (jobs, bytes_max): (&str, u64)) -> String {
    let content = html! {
        p.hidden #said role="status" aria-live="polite" {}
        section.card #wrong role="alert" tabindex="-1" hidden {
            h2 { "There is no film" }
            p #wrong-words {}
            button.first #without type="button" { "Remove it and go on" }
        }
        form #form action="upload" method="post" enctype="multipart/form-data" data-jobs=(jobs)
            data-bytes-max=(bytes_max) data-photos-max=(PHOTOS_MAX) {
            (files())
            (choices())
            div.actions {
                button.first #make type="submit" { "Make the film" }
                span.soft #sum aria-live="polite" {}
            }
        }
        (progress())
        section.card #film hidden {
            h2 tabindex="-1" { "Your film" }
            video #player controls playsinline preload="metadata" {}
            div.actions {
                a.as-button.first #download href="" download="film.mp4" { "Download" }
                button #another type="button" { "Make another film" }
            }
            p.soft { "The address of this page leads here again for a while." }
        }
    };
    page("Make a film", (true, has_desk), &content)
}

/// Photos and music.
fn files() -> Markup {
    html! {
        section.card {
            div.drop {
                label for="pick" { strong { "Photos" } }
                input #pick type="file" name="photos[]" accept=(PHOTOS) multiple required;
                label for="music" { strong { "Music" } ", if you like" }
                input #music type="file" name="music" accept=(MUSIC);
                span.live {
                    span #music-name {}
                    " "
                    button #no-music type="button" hidden { "Without music" }
                }
                p.soft.live { "Or drop photos and music here." }
                p.soft.plain { "Photos are shown in the order in which they are chosen." }
            }
            ol #photos.live aria-label="Photos in the order of the film" {}
        }
    }
}

/// Size, and how long what is shown.
fn choices() -> Markup {
    html! {
        section.card.choices {
            label.live { "Size"
                select #size {
                    @for (value, words) in SIZES { option value=(value) { (words) } }
                }
            }
            label.plain { "Width"
                input type="number" name="width" min="16" max="3840" step="2" value="1280"
                    required;
            }
            label.plain { "Height"
                input type="number" name="height" min="16" max="3840" step="2" value="720"
                    required;
            }
            label { "Seconds a photo"
                input type="number" name="seconds" min="0.1" max="60" step="0.1" value="2" required;
            }
            label { "Seconds of a fade"
                input type="number" name="fade" min="0" max="10" step="0.1" value="0.5" required;
            }
        }
    }
}

/// What is seen while a film is sent and made.
fn progress() -> Markup {
    html! {
        section.card #work aria-labelledby="stage" hidden {
            h2 #stage {}
            progress #part max="1" value="0" aria-labelledby="stage" {}
            p #words {}
            div.actions { button #stop type="button" { "Give up" } }
        }
    }
}

/// Where customers ask for a job; `told`: what has come of it, why, and whose it is.
pub(super) fn make_video(told: Option<(&str, Option<&str>, &str)>) -> String {
    let content = html! {
        @if let Some((words, why, customer)) = told {
            section.card {
                h3 { (words) }
                @if let Some(why) = why { p.bad { (why) } }
                form action="checkstatus" {
                    input type="hidden" name="customerId" value=(customer);
                    button type="submit" { "How is it?" }
                }
            }
        }
        form.card action="makevideo" {
            div.choices {
                label { "Customer" input name="customerId" maxlength="255" required; }
                label { "Job" input.wide name="jobDesc" maxlength="4096" required; }
            }
            p.soft {
                "The name of a bucket: its photos become a film in it. "
                code { "sleep 10" } ": wait for 10 seconds. Several, one after the other: "
                code { "sleep 10|bucket" } "."
            }
            div.actions { button.first type="submit" { "Ask for it" } }
        }
    };
    page("Ask for a job", (false, true), &content)
}

/// Where customers are told of their jobs; `told`: how it is, and whose.
pub(super) fn check_status(told: Option<(&str, &str)>) -> String {
    let content = html! {
        @if let Some((words, customer)) = told {
            section.card {
                h3 { (words) }
                p.soft { "Customer: " (customer) }
            }
        }
        form.card action="checkstatus" {
            div.choices {
                label { "Customer"
                    input name="customerId" maxlength="255" required
                        value=[told.map(|(_, customer)| customer)];
                }
            }
            div.actions { button.first type="submit" { "Look" } }
        }
    };
    page("Look at a job", (false, true), &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_customers_say_is_text() {
        let bad = "\"><script>alert(1)</script>";
        for page in [make_video(Some(("told", Some(bad), bad))), check_status(Some(("told", bad)))]
        {
            assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
        }
    }

    #[test]
    fn no_page_has_style_or_script_in_it() {
        let all = [home(true), upload(true, ("/jobs", 1)), make_video(None), check_status(None)];
        for page in all {
            for word in ["style=", "<style", "onclick", "javascript:", "http:"] {
                assert!(!page.contains(word), "{word}");
            }
        }
    }
}
