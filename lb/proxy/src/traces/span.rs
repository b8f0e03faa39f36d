//! What is noted of a request for its trace while it passes.

use std::time::Instant;

use http::HeaderMap;
use pingora::http::RequestHeader;

use weighbridge_core::host::HostId;

use super::context::{self, Context};
use crate::config::HostAddress;

/// The most tries that are told of one request.
const TRIES_MAX: usize = 64;

/// The trace of one request.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The trace, with the server span.
    pub(super) context: Context,
    /// The span of whoever asked; `None` where the trace begins here.
    pub(super) parent: Option<[u8; 8]>,
    /// `tracestate` as it came.
    pub(super) state: Option<String>,
    /// The job whose attempt it is.
    pub(super) job: Option<String>,
    pub(super) tries: Vec<Tried>,
}

/// One try at a host, or one invocation of a function.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) span: [u8; 8],
    pub(super) at: Place,
    pub(super) begun: Instant,
    pub(super) ended: Option<Instant>,
    /// How it failed, as metrics have it.
    pub(super) failure: Option<&'static str>,
    /// The status of the answer, where one has come.
    pub(super) status: Option<u16>,
}

/// Where a request is tried.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// At a host.
    Host(HostId, HostAddress),
    /// At the function of this name.
    Function(String),
}

// === impl Trace ===

impl Trace {
    /// The trace of a request with `headers`, of which `ratio` are recorded where they begin here.
    /// `None` where the headers are to be passed on as they are: whoever asked does not record it.
    pub(super) fn begin(
        headers: &HeaderMap,
        (ratio, state_bytes_max): (f64, usize),
    ) -> Option<Box<Trace>> {
        let from = Context::read(headers);
        if from.is_some_and(|context| !context.is_sampled()) {
            return None;
        }
        let (context, state) = if let Some(from) = from {
            let context = Context { span: context::new_span(), ..from };
            (context, context::state(headers, state_bytes_max))
        } else {
            let root = Context::new_root();
            (if root.is_among(ratio) { root.sampled() } else { root }, None)
        };
        Some(Box::new(Trace {
            context,
            parent: from.map(|from| from.span),
            state,
            job: None,
            tries: Vec::new(),
        }))
    }

    /// It is of an attempt of `job`.
    pub(crate) fn of_job(&mut self, job: String) {
        self.job = Some(job);
    }

    /// Whether spans are recorded.
    pub(crate) fn is_sampled(&self) -> bool {
        self.context.is_sampled()
    }

    /// Its spans, the server's included.
    pub(super) fn n_spans(&self) -> u64 {
        1 + self.tries.len() as u64
    }

    /// The trace's id: 32 hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        context::hex(&self.context.trace)
    }

    /// `request` goes to `at` now: it says which span asks.
    pub(crate) fn begin_try(&mut self, request: &mut RequestHeader, at: impl FnOnce() -> Place) {
        let mut span = self.context.span;
        if self.is_sampled() && self.tries.len() < TRIES_MAX {
            self.end_try(None);
            span = context::new_span();
            let begun = Instant::now();
            let (at, ended, failure, status) = (at(), None, None, None);
            self.tries.push(Tried { span, at, begun, ended, failure, status });
        }
        // Fails only where it has as many headers as there may be.
        let _told = self.context.parent(span).map(|p| request.insert_header(context::PARENT, p));
        request.remove_header(&context::STATE);
        if let Some(state) = &self.state {
            let _told = request.insert_header(context::STATE, state);
        }
    }

    /// The try that goes on has brought an answer with `status`.
    pub(crate) fn heard(&mut self, status: u16) {
        // It may have ended before its head is looked at.
        if let Some(tried) = self.tries.last_mut().filter(|tried| tried.failure.is_none()) {
            tried.status = Some(status);
        }
    }

    /// The try that goes on has ended, with a `failure` or without one.
    pub(crate) fn end_try(&mut self, failure: Option<&'static str>) {
        if let Some(tried) = self.open() {
            tried.ended = Some(Instant::now());
            tried.failure = failure;
        }
    }

    fn open(&mut self) -> Option<&mut Tried> {
        self.tries.last_mut().filter(|tried| tried.ended.is_none())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn begin(parent: Option<&'static str>, ratio: f64) -> Option<Box<Trace>> {
        let mut headers = HeaderMap::new();
        if let Some(parent) = parent {
            headers.insert(context::PARENT, HeaderValue::from_static(parent));
            headers.insert(context::STATE, HeaderValue::from_static("theirs=1"));
        }
        Trace::begin(&headers, (ratio, 512))
    }

    /// What a host is told by the next try of `trace`.
    fn told(trace: &mut Trace) -> (String, Option<String>) {
        let mut request = RequestHeader::build(Method::GET, b"/", None).unwrap();
        request.insert_header(context::PARENT, "the client's").unwrap();
        request.insert_header(context::STATE, "the client's").unwrap();
        trace.begin_try(&mut request, || Place::Function("f".to_owned()));
        let text = |name| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
        (text(context::PARENT).unwrap(), text(context::STATE))
    }

    #[test]
    fn whoever_asked_says_whether_it_is_recorded() {
        let trace = begin(Some(SAMPLED), 0.0).unwrap();
        assert!(trace.is_sampled());
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.parent.map(|span| context::hex(&span)).unwrap(), "b7ad6b7169203331");
        assert!(begin(Some(UNSAMPLED), 1.0).is_none());
    }

    #[test]
    fn each_try_has_a_span_of_its_own_that_its_host_is_told() {
        let mut trace = begin(Some(SAMPLED), 0.0).unwrap();
        let (first, state) = told(&mut trace);
        trace.end_try(Some("connect"));
        let (second, _) = told(&mut trace);
        trace.heard(200);
        trace.end_try(None);
        assert_eq!(state.as_deref(), Some("theirs=1"));
        assert_ne!(first, second);
        for (tried, told) in trace.tries.iter().zip([first, second]) {
            let span = context::hex(&tried.span);
            assert_eq!(told, format!("00-0af7651916cd43dd8448eb211c80319c-{span}-01"));
        }
        let came = |tried: &Tried| (tried.failure, tried.status, tried.ended.is_some());
        assert_eq!(came(&trace.tries[0]), (Some("connect"), None, true));
        assert_eq!(came(&trace.tries[1]), (None, Some(200), true));
    }

    #[test]
    fn a_trace_that_begins_here_and_is_not_recorded_is_recorded_nowhere() {
        for parent in [None, Some("00-rubbish")] {
            let mut trace = begin(parent, 0.0).unwrap();
            let (told, state) = told(&mut trace);
            assert!(told.starts_with(&format!("00-{}-", trace.id())) && told.ends_with("-00"));
            assert_eq!((state, trace.tries.len(), trace.parent), (None, 0, None));
            assert!(begin(parent, 1.0).unwrap().is_sampled());
        }
    }

    #[test]
    fn there_is_an_end_of_tries() {
        let mut trace = begin(Some(SAMPLED), 0.0).unwrap();
        for _ in 0..2 * TRIES_MAX {
            told(&mut trace);
        }
        assert_eq!(trace.tries.len(), TRIES_MAX);
    }
}
