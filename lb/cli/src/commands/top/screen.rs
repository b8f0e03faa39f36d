//! The terminal while a command has all of it: taken, written to, and given back as it was.

use std::io::{self, Read as _, Stdout, Write as _, stdin, stdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Another screen, without a cursor; and back.
const TAKE: &str = "\x1b[?1049h\x1b[?25l";
const GIVE_BACK: &str = "\x1b[?25h\x1b[?1049l";

/// The size that is taken where the terminal does not say.
const SIZE: (usize, usize) = (80, 24);

/// What a key asks for.
pub(super) enum Key {
    /// It is enough.
    Quit,
    /// The picture is to stay, or to go on.
    Hold,
}

/// See the module. Dropping it gives the terminal back.
pub(super) struct Screen {
    out: Stdout,
    before: Option<Termios>,
}

impl Screen {
    /// Takes the terminal. Keys are read as they are pressed, Ctrl-C among them.
    pub(super) fn take() -> io::Result<Screen> {
        let before = tcgetattr(stdin()).ok();
        if let Some(before) = &before {
            let mut now = before.clone();
            now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            tcsetattr(stdin(), OptionalActions::Now, &now)?;
        }
        let mut screen = Screen { out: stdout(), before };
        screen.write(TAKE)?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = tcgetwinsize(&self.out).ok().filter(|size| 0 < size.ws_col && 0 < size.ws_row);
        size.map_or(SIZE, |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
    }

    /// Shows `lines`, each of which ends with a line break, in the place of what was there.
    pub(super) fn show(&mut self, lines: &[String], holds: bool) -> io::Result<()> {
        let (_, rows) = self.size();
        let fitting = lines.iter().take(rows.saturating_sub(1));
        let shown: String = fitting.map(|line| line.replace('\n', "\x1b[K\r\n")).collect();
        let hint = if holds { "held: a space goes on, q ends" } else { "q ends, a space holds" };
        self.write(&format!("\x1b[H{shown}\x1b[2m{hint}\x1b[0m\x1b[J"))
    }

    /// What was pressed within `most`, if it asks for something.
    pub(super) fn key(most: Duration) -> io::Result<Option<Key>> {
        let input = stdin();
        let mut polled = [PollFd::new(&input, PollFlags::IN)];
        let most = Timespec::try_from(most).ok();
        match poll(&mut polled, most.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut pressed = [0; 16];
        let n = input.lock().read(&mut pressed)?;
        let is_pressed = |keys: &[u8]| pressed[..n].iter().any(|key| keys.contains(key));
        // Where the input has ended, nobody could end it any more.
        let asked = if n == 0 || is_pressed(b"qQ\x03\x04") {
            Some(Key::Quit)
        } else {
            is_pressed(b" ").then_some(Key::Hold)
        };
        Ok(asked)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may have gone.
        let _ = self.write(GIVE_BACK);
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
