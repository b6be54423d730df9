"""Referrals: who brought whom, what both get for it, and what is no referral at all."""
