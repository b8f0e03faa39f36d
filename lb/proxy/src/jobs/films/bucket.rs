//! The photos of a bucket become a film in it: all of them, in the order of their names.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, header};
use pingora::http::RequestHeader;
use sha2::{Digest as _, Sha256};

use weighbridge_core::request::RouteId;

use super::worker::Left;
use crate::budget::{Owner, Share};
use crate::config::Films;
use crate::config::films::Desk;
use crate::jobs::JobRoom;
use crate::jobs::contract::buckets::{Object, Place};
use crate::jobs::contract::made::End;
use crate::jobs::intake::Wanted;
use crate::jobs::ledger::{Found, Kept};

/// The most photos of a film, as the worker has it.
const PHOTOS_MAX: usize = 200;

/// The most objects of a bucket that are looked at.
const OBJECTS_MAX: usize = 10_000;

/// The longest film that is put into a bucket, in bytes.
const FILM_MAX: u64 = 512 << 20;

/// Between two looks at a job.
const LOOK: Duration = Duration::from_secs(2);

/// Which film it is.
pub(super) struct Film<'f> {
    pub(super) films: &'f Films,
    pub(super) desk: &'f Desk,
    pub(super) route: RouteId,
    /// The bucket of its photos.
    pub(super) bucket: &'f str,
    /// The message that asks for it, and which of its jobs it is.
    pub(super) asked: (&'f str, usize),
}

// === impl Film ===

impl Film<'_> {
    /// Has it made, and puts it into its bucket.
    pub(super) async fn make(&self, room: &Arc<JobRoom>) -> Result<(), Left> {
        let names = self.names(room).await?;
        let (body, boundary, share) = self.form(room, names).await?;
        let kept = self.accept(room, (body, &boundary), share).await?;
        let kept = Film::ended(room, kept).await?;
        let film = match room.end_within(&kept, FILM_MAX).await? {
            End::Answered(film) => film,
            End::Failed(why) => return Err(Left::Failed(why)),
            End::Told(_) => return Err(Left::Failed("it was answered by a message".to_owned())),
        };
        let object = Object { media_type: film.media_type, body: film.body };
        for key in &self.desk.keys {
            let place = Place { bucket: self.bucket.to_owned(), key: key.clone() };
            room.contracts.outside.buckets.put(&place, &object).await?;
        }
        Ok(())
    }

    /// The names of its photos, in their order.
    async fn names(&self, room: &JobRoom) -> Result<Vec<String>, Left> {
        let listed = room.contracts.outside.buckets.list(self.bucket, OBJECTS_MAX).await?;
        let missing = || Left::Failed(format!("there is no bucket `{}`", self.bucket));
        let mut names = listed.ok_or_else(missing)?;
        names.retain(|name| is_photo(name, &self.desk.photos) && !self.desk.keys.contains(name));
        names.sort();
        match names.len() {
            1..=PHOTOS_MAX => Ok(names),
            n => Err(Left::Failed(format!("it has {n} photos, expected 1 to {PHOTOS_MAX}"))),
        }
    }

    /// The form that asks for it, and the boundary of its parts.
    async fn form(
        &self,
        room: &JobRoom,
        names: Vec<String>,
    ) -> Result<(Bytes, String, Share), Left> {
        let rooms = room.rooms();
        let most = rooms.config.route(self.route).body_bytes.min(room.settings().input_bytes_max);
        let mut share = rooms.dispatch.budget.share(Owner(None));
        let (mut photos, mut bytes) = (Vec::new(), 0);
        for name in names {
            let place = Place { bucket: self.bucket.to_owned(), key: name.clone() };
            let left = most - bytes;
            let photo = room.contracts.outside.buckets.get(&place, left).await?;
            let too_long = || Left::Failed(format!("its photos have more than {most} bytes"));
            let photo = photo.ok_or_else(too_long)?;
            bytes += photo.len() as u64;
            // Once as they are, and once in their form.
            if !share.try_hold(2 * bytes) {
                return Err(Left::NoRoom);
            }
            photos.push((name, photo));
        }
        let (body, boundary) = form(&self.desk.form, &photos);
        if most < body.len() as u64 {
            return Err(Left::Failed(format!("its photos have more than {most} bytes")));
        }
        drop(photos);
        share.try_hold(body.len() as u64);
        Ok((body, boundary, share))
    }

    /// The job of it: the same, however often it is asked for by one message.
    async fn accept(
        &self,
        room: &Arc<JobRoom>,
        (body, boundary): (Bytes, &str),
        share: Share,
    ) -> Result<Kept, Left> {
        let head = self.head(boundary, body.len());
        let head = head.map_err(|error| Left::Failed(error.to_string()))?;
        let (message, nth) = self.asked;
        let parts: [&[u8]; 4] = [
            self.desk.queue.as_bytes(),
            message.as_bytes(),
            &nth.to_be_bytes(),
            // Of other photos it is another film.
            boundary.as_bytes(),
        ];
        let refused = |problem| Left::Refused(Box::new(problem));
        let key = Some(room.key_of(&parts).map_err(refused)?);
        let received = room.received(body, Some(share)).await.map_err(refused)?;
        let wanted = Wanted { route: self.route, head, key, callback: None, client: None };
        Ok(room.accept(wanted, received).await.map_err(refused)?.kept)
    }

    fn head(&self, boundary: &str, bytes: usize) -> pingora::Result<Box<RequestHeader>> {
        let mut head = RequestHeader::build(Method::POST, self.films.send.as_bytes(), Some(4))?;
        let media_type = format!("multipart/form-data; boundary={boundary}");
        head.insert_header(header::HOST, "weighbridge")?;
        head.insert_header(header::CONTENT_TYPE, media_type)?;
        head.insert_header(header::CONTENT_LENGTH, bytes)?;
        Ok(Box::new(head))
    }

    async fn ended(room: &JobRoom, kept: Kept) -> Result<Kept, Left> {
        let id = kept.job.id;
        loop {
            match room.wait_for_end(id, LOOK).await? {
                Found::Kept(kept) if kept.job.state.is_final() => return Ok(*kept),
                Found::Kept(_) => {}
                Found::Forgotten | Found::Unknown => {
                    return Err(Left::Failed("the job is forgotten".to_owned()));
                }
            }
        }
    }
}

fn is_photo(name: &str, endings: &[String]) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending))
}

/// The first 16 bytes of `hash`, as a text.
pub(super) fn hex(hash: &[u8]) -> String {
    let first = hash.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(first))
}

/// A form with `parts` and `photos`, and its boundary: the hash of all of it, so that the same
/// photos make the same form, and none of them has it within.
fn form(parts: &[(String, String)], photos: &[(String, Bytes)]) -> (Bytes, String) {
    let mut hasher = Sha256::new();
    for (name, value) in parts {
        hasher.update(format!("{name}={value};"));
    }
    for (name, photo) in photos {
        hasher.update(format!("{name}\n{};", photo.len()));
        hasher.update(photo);
    }
    let boundary = hex(&hasher.finalize()[..]);
    let bytes: usize = photos.iter().map(|(_, photo)| photo.len() + 512).sum();
    let mut body = BytesMut::with_capacity(bytes + 1024);
    let mut add = |head: String, content: &[u8]| {
        body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    for (name, value) in parts {
        add(format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes());
    }
    for (name, photo) in photos {
        let name = name.replace(['"', '\r', '\n', '\\'], "_");
        let head = format!("Content-Disposition: form-data; name=\"photos\"; filename=\"{name}\"");
        add(head, photo);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body.freeze(), boundary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_of_photos_can_be_read_and_is_the_same_again() {
        let parts = [("fade".to_owned(), "0.4".to_owned())];
        let photo = |name: &str, body: &'static [u8]| (name.to_owned(), Bytes::from_static(body));
        let photos = [photo("a \"b\".jpg", b"\xff\xd8--"), photo("ü.png", b"\r\n--x--\r\n")];
        let (body, boundary) = form(&parts, &photos);
        assert_eq!(form(&parts, &photos), (body.clone(), boundary.clone()));
        assert_ne!(form(&[], &photos).1, boundary);
        let all = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>(body) });
        let mut read = multer::Multipart::new(all, boundary);
        let mut seen = Vec::new();
        while let Some(part) = read.next_field().await.unwrap() {
            let name = part.file_name().or(part.name()).unwrap_or_default().to_owned();
            seen.push((name, part.bytes().await.unwrap()));
        }
        let expected = [
            photo("fade", b"0.4"),
            photo("a _b_.jpg", photos[0].1.as_ref().to_vec().leak()),
            photo("ü.png", b"\r\n--x--\r\n"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_photo_is_known_by_the_end_of_its_name() {
        let endings = ["jpg".to_owned(), "png".to_owned()];
        assert!(is_photo("a.b.JPG", &endings) && is_photo("x/y.png", &endings));
        assert!(!is_photo("jpg", &endings) && !is_photo("myvideo.mpeg", &endings));
    }
}
