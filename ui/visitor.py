"""Who looks at a page: an id for this browser, so that nobody stops another's training by accident.

It is no proof of anything: whoever reads the run folders reads the ids, and may stop a run by typing its name.
"""

from __future__ import annotations

import re
import secrets

import streamlit as st

COOKIE = "latent-space-visitor"
ID = re.compile(r"[0-9a-f]{32}")
YEAR = 365 * 24 * 3600  # seconds
SCRIPT = """<script>
document.cookie = "%s=%s; Path=/; Max-Age=%d; SameSite=Lax" + (location.protocol === "https:" ? "; Secure" : "");
</script>"""


def visitor() -> str:
    """The id of this browser, 32 hexadecimal digits: from its cookie, else a fresh one that is put there.

    Without cookies it lasts as long as the page. Two pages that are opened together in a new browser get two ids,
    of which one is kept.
    """
    arrived = st.context.cookies.get(COOKIE, "")
    if isinstance(arrived, str) and ID.fullmatch(arrived):  # Streamlit's AppTest hands out a mock
        return arrived
    fresh = st.session_state.setdefault(COOKIE, secrets.token_hex(16))
    st.html(SCRIPT % (COOKIE, fresh, YEAR), unsafe_allow_javascript=True)
    return fresh
