"""Load balancers and DNS on the metal: addresses, announcements and names from one database."""

__version__ = "0.1.0"
