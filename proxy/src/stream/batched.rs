//! A connection of HTTP/2 that sends many large frames at once.
//!
//! Never waits for time: what was written is sent before the task that wrote it rests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// A stream that is not flushed between two large frames.
///
/// The library gathers small frames itself. After each large one it asks for a flush, though more may follow, and each
/// would be a system call and wake the other side; when it has nothing more to write, it asks once again. Should it not,
/// its task is woken, and the flush is made good where it reads.
#[derive(Debug)]
pub(crate) struct Batched<T = Stream> {
    stream: T,
    /// Below TLS only there is a place where writes are gathered.
    gathers: bool,
    /// What was written last is a large frame: its head and its payload, which are two pieces.
    large: bool,
    /// A flush was asked for and is not done.
    owing: bool,
}

impl Batched {
    pub(crate) fn new(stream: Stream) -> Self {
        let gathers = matches!(stream, Stream::Tls(_));
        Self::of(stream, gathers)
    }
}

impl<T> Batched<T> {
    fn of(stream: T, gathers: bool) -> Self {
        Self {
            stream,
            gathers,
            large: false,
            owing: false,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Batched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.owing {
            // Where there is no room, the socket wakes the task when there is.
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.owing = false,
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => {}
            }
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Batched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.large = false;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.large && self.gathers {
            self.large = false;
            self.owing = true;
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.owing &= flushed.is_pending();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.large = bufs.len() > 1;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts flushes, and never has anything to read.
    #[derive(Default)]
    struct Flushed(usize);

    impl AsyncRead for Flushed {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Flushed {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0 += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    enum Do {
        Small,
        Large,
        Flush,
        Read,
    }

    /// How often was flushed, and how often the task was woken.
    fn run(gathers: bool, steps: &[Do]) -> (usize, usize) {
        let bell = Arc::new(Bell::default());
        let waker = Arc::clone(&bell).into();
        let cx = &mut Context::from_waker(&waker);
        let mut stream = Batched::of(Flushed::default(), gathers);
        for step in steps {
            let stream = Pin::new(&mut stream);
            let two = [IoSlice::new(b"head"), IoSlice::new(b"payload")];
            match step {
                Do::Small => assert!(stream.poll_write_vectored(cx, &two[..1]).is_ready()),
                Do::Large => assert!(stream.poll_write_vectored(cx, &two).is_ready()),
                Do::Flush => assert!(stream.poll_flush(cx).is_ready()),
                Do::Read => assert!(
                    stream
                        .poll_read(cx, &mut ReadBuf::new(&mut []))
                        .is_pending()
                ),
            }
        }
        (stream.stream.0, bell.0.load(Ordering::Relaxed))
    }

    #[test]
    fn large_frames_are_flushed_together_and_always() {
        use Do::{Flush, Large, Read, Small};
        for (gathers, steps, expected) in [
            // As the library does it: the last one is for all of them.
            (true, &[Large, Flush, Large, Flush, Flush][..], (1, 2)),
            // Had it not asked again.
            (true, &[Large, Flush, Read, Read], (1, 1)),
            (true, &[Large, Flush, Small, Flush, Read], (1, 1)),
            (true, &[Small, Flush, Read], (1, 0)),
            // Where nothing is gathered, nothing is put off.
            (false, &[Large, Flush, Large, Flush, Read], (2, 0)),
        ] {
            assert_eq!(run(gathers, steps), expected);
        }
    }
}
