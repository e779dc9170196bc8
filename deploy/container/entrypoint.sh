#!/bin/sh
# Judges what waited for the machine since the image was built, then becomes the command of the container.
#
#   ENTRYPOINT ["/opt/envkit/entrypoint.sh"]        also under tini: ["tini", "--", "/opt/envkit/entrypoint.sh"]
#   CMD ["python", "train.py"]
#
# ENVKIT_ON_UNHEALTHY  stop (the default): end with envkit's exit status; warn: say it and start the command all the same.
# Without a command the verdict is all there is. What envkit says goes to stderr: stdout belongs to the command.
set -u

policy=${ENVKIT_ON_UNHEALTHY:-stop}
case $policy in
    stop | warn) ;;
    *)
        echo "entrypoint: ENVKIT_ON_UNHEALTHY=$policy: expected stop or warn" >&2
        exit 2
        ;;
esac

# Process 1 of a container gets no signal that it does not ask for, so it asks for them all the way to the command, which
# inherits none of this. The doctor is in the background because they are heeded only between two commands: `docker stop`
# ends a container that waits for a driver.
trap 'kill "${!:-}" 2>/dev/null; exit 143' TERM
trap 'kill "${!:-}" 2>/dev/null; exit 130' INT
trap 'kill "${!:-}" 2>/dev/null; exit 129' HUP
envkit doctor --phase run >&2 &
wait "$!"
status=$?

if [ "$#" -eq 0 ]; then
    exit "$status"
fi
if [ "$status" -ne 0 ]; then
    if [ "$policy" = stop ]; then
        echo "entrypoint: not started: $1 (ENVKIT_ON_UNHEALTHY=warn starts it all the same)" >&2
        exit "$status"
    fi
    echo "entrypoint: started all the same, as ENVKIT_ON_UNHEALTHY=warn asks: $1" >&2
fi
exec "$@"
