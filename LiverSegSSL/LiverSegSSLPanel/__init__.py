"""What the module LiverSegSSL is made of: scene bridge and logic (free of Qt), and the sections of the panel."""

from LiverSegSSLPanel.library import find_library

find_library()  # whatever is imported from here on may import LiverSegSSLLib
