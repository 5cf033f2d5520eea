import sys

from ctxaudio.cli import main

sys.exit(main())
