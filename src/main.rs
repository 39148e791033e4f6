//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    winstorm::cli::main()
}
