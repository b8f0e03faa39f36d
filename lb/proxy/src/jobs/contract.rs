//! Jobs that look to clients, queues and buckets as a contract says ([`crate::config::contract`]).
//!
//! ```text
//! template.rs  how texts are made of values, and read
//! input.rs     what of a request is the input, and what it is called
//! made.rs      what is made of the end of a job: object, answer, message
//! buckets.rs   where objects are: folder.rs, or at AWS
//! messages.rs  what queues can do: queues.rs, or at AWS
//! deliver.rs   puts results into buckets, until it has worked
//! desk.rs      the web part: asks by messages, and hands answers to whoever waits
//! puller.rs    the workers' part: has jobs made of messages, and answers them
//! depth.rs     how many messages nobody has taken, for the size of the fleet
//! ```
//!
//! Without a queue a request becomes a job of the ledger, and its result is delivered from there:
//! [`Job::told`](weighbridge_core::jobs::Job::told) says whether it was. With a queue, the message
//! is what is durable.
//!
//! # Why a message becomes a job, and stays until its answer is sent
//!
//! Messages could be run as they come, without a ledger. As jobs they are estimated, ordered, tried
//! again and seen by operators as all others are, by the same code. The message is hidden again and
//! again meanwhile, and deleted last: whatever dies, it comes again, and is the same job by its id.
//! So effects happen at least once, and the object is the same each time. Cost: a row in a ledger
//! for each message. Look again where machines with workers have no disk.

pub mod buckets;
pub(crate) mod deliver;
pub(crate) mod depth;
pub(crate) mod desk;
pub mod folder;
pub(crate) mod input;
pub(crate) mod made;
pub mod messages;
pub(crate) mod puller;
pub mod queues;
pub mod template;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use buckets::Buckets;
use desk::Desk;
use messages::Messages;

use crate::jobs::films::customers::Customers;

/// What contracts reach outside of the ledger.
#[derive(Clone)]
pub struct Outside {
    /// Where inputs and results are kept.
    pub buckets: Arc<dyn Buckets>,
    /// Queues of messages; `None` where there are none.
    pub messages: Option<Arc<dyn Messages>>,
    /// How the jobs of customers are.
    pub customers: Arc<dyn Customers>,
}

/// The same, with who waits for messages.
pub(crate) struct Contracts {
    pub(crate) outside: Outside,
    pub(crate) desk: Desk,
    pub(crate) deliveries: deliver::Deliveries,
    /// Messages that are held here.
    held: AtomicUsize,
}

/// Counts a message as held until dropped.
pub(crate) struct Held<'c>(&'c AtomicUsize);

impl Contracts {
    pub(crate) fn new(outside: Outside) -> Contracts {
        Contracts {
            outside,
            desk: Desk::default(),
            deliveries: deliver::Deliveries::new(),
            held: AtomicUsize::new(0),
        }
    }

    /// Messages that are held here.
    pub(crate) fn n_held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Counts one more message until dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.held.fetch_add(1, Ordering::AcqRel);
        Held(&self.held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
