class Logger:
    ULTRA_VERBOSE: int
    VERBOSE: int
    DEBUG: int
    INFO: int
    WARNING: int
    ERROR: int
    CRITICAL: int
    severity: int

G_LOGGER: Logger
