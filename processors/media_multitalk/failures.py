"""How an execution ends that does not succeed: the exit codes and reports of docs/processor-contract.md."""

EXIT_FAILURE = 1
EXIT_BAD_INPUT = 65
EXIT_TRANSIENT = 75


class Failure(Exception):
    """Ends the execution with an exit code and an error report."""

    def __init__(self, exit_code, code, message, retryable=None):
        super().__init__(message)
        self.exit_code = exit_code
        self.report = {"code": code, "message": message}
        if retryable is not None:
            self.report["retryable"] = retryable


def bad_input(message, code="ERR_EXIT"):
    """These inputs or params can never succeed."""
    return Failure(EXIT_BAD_INPUT, code, message, retryable=False)


def transient(message, code="ERR_UNAVAILABLE"):
    """The same work may succeed later."""
    return Failure(EXIT_TRANSIENT, code, message, retryable=True)


def unable(message):
    """This machine or image can never do the work, whatever the inputs are."""
    return Failure(EXIT_BAD_INPUT, "ERR_CAPABILITY", message, retryable=False)
