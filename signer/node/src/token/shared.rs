//! One token for several signers on one machine: a process that holds it, and a socket. PKCS#11 logs a whole process in, and
//! tokens on files do not bear two of them. Whoever may open the socket may use every key that is in the token, so its folder is
//! one user's own; and one machine then holds all those signers' shares, which is for trying out and for CAs apart from each other.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::Arc,
};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    client::Token,
    error::{Answer, Failure, TokenError, fail},
    wire::{self, Reply, Request},
};

/// Listens, and answers each connection on a thread of its own, until `shutdown` or until a PIN was refused.
///
/// # Errors
/// [`TokenError`] if it cannot listen there, or the token refused its PIN.
pub async fn share(
    token: &Arc<Token>,
    socket: &Path,
    shutdown: &CancellationToken,
) -> Result<(), TokenError> {
    let listener = listen(socket)?;
    info!(socket = %socket.display(), "the token is shared");
    let ended = shutdown.clone();
    let guard = token.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            if ended.is_cancelled() {
                return;
            }
            let token = guard.clone();
            std::thread::spawn(move || {
                if let Err(error) = answer(&token, stream) {
                    warn!(%error, "a signer's connection to the token ended");
                }
            });
        }
    });
    let refusal = token.refusal();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = refusal.cancelled() => {}
    }
    let _ = fs::remove_file(socket);
    token.refused().map_or(Ok(()), Err)
}

fn listen(socket: &Path) -> Answer<UnixListener> {
    let setup = |reason: String| TokenError::new(Failure::Setup, reason);
    let folder = socket.parent().unwrap_or(Path::new("."));
    let mode = fs::metadata(folder)
        .map_err(|error| setup(format!("{}: {error}", folder.display())))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return fail(
            Failure::Setup,
            format!(
                "others may enter {}: whoever opens the socket uses the token, so make its folder mode 700",
                folder.display()
            ),
        );
    }
    // What a killed one left is no socket that anybody answers at.
    if fs::symlink_metadata(socket).is_ok_and(|it| it.file_type().is_socket()) {
        if UnixStream::connect(socket).is_ok() {
            return fail(
                Failure::Setup,
                format!("a token is shared at {} already", socket.display()),
            );
        }
        let _ = fs::remove_file(socket);
    }
    UnixListener::bind(socket)
        .map_err(|error| setup(format!("cannot listen at {}: {error}", socket.display())))
}

/// Passes on what uses keys. Loading and logging in are this process's own matters.
fn answer(token: &Token, mut stream: UnixStream) -> io::Result<()> {
    while let Some(request) = wire::read::<Request>(&mut stream)? {
        let reply = match request {
            Request::Load(_) | Request::LogIn(_) | Request::List => fail(
                Failure::Setup,
                "a shared token is loaded and logged in to by the program that shares it",
            ),
            request => token.call(&request),
        };
        wire::write(
            &mut stream,
            &reply.unwrap_or_else(|error| Reply::Failed(error.into())),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::wire::{Load, bytes};

    #[test]
    fn who_shares_a_token_loads_no_other_module() {
        let (_folder, token) = crate::token::fake::token(|_| Reply::Done);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || answer(&token, theirs).unwrap());
        let load = Request::Load(Load {
            module: bytes("/tmp/evil.so"),
            strict: 0,
        });
        for (request, allowed) in [
            (load, false),
            (Request::List, false),
            (Request::Probe, true),
        ] {
            wire::write(&mut ours, &request).unwrap();
            let reply = wire::read::<Reply>(&mut ours).unwrap();
            assert_eq!(
                reply == Some(Reply::Done),
                allowed,
                "{request:?}: {reply:?}"
            );
        }
        drop(ours);
        thread.join().unwrap();
    }
}
